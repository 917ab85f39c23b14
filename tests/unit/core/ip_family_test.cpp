#include "core/ip_family.hpp"

#include <catch2/catch.hpp>

namespace ip_family_test {

using namespace lull;

TEST_CASE("an address says by itself which family it is of, whatever this machine has") {
    for (OwnAddresses const own : {OwnAddresses{}, OwnAddresses{true, true}, OwnAddresses{false, true}}) {
        CHECK(by_ipv6("tcp://[::1]:7702", own));
        CHECK(by_ipv6("tcp://[2001:db8::1]:7702", own));
        CHECK_FALSE(by_ipv6("tcp://127.0.0.1:7702", own));
        CHECK_FALSE(by_ipv6("inproc://monitor", own));
    }
}

TEST_CASE("a name is looked for in IPv6 only where this machine has no other addresses") {
    CHECK(by_ipv6("tcp://broker.example:7702", {.ipv4 = false, .ipv6 = true}));
    CHECK_FALSE(by_ipv6("tcp://broker.example:7702", {.ipv4 = true, .ipv6 = true}));
    CHECK_FALSE(by_ipv6("tcp://broker.example:7702", {.ipv4 = true, .ipv6 = false}));
    CHECK_FALSE(by_ipv6("tcp://localhost:7702", {}));
}

}  // namespace ip_family_test
