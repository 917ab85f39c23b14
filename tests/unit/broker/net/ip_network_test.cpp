#include "broker/net/ip_network.hpp"

#include <catch2/catch.hpp>

namespace ip_network_test {

using namespace lull;
using lull::broker::IpNetwork;

namespace {

IpNetwork network(std::string_view text) { return IpNetwork::parse(text).value(); }

}  // namespace

TEST_CASE("a network holds the addresses that begin like it") {
    CHECK(network("10.3.0.0/16").contains(network("10.3.255.1")));
    CHECK_FALSE(network("10.3.0.0/16").contains(network("10.4.0.1")));
    CHECK(network("10.3.4.5/16").text() == "10.3.0.0/16");
    CHECK(network("0.0.0.0/0").contains(network("192.0.2.1")));
    CHECK_FALSE(network("0.0.0.0/0").contains(network("2001:db8::1")));
    CHECK(network("2001:db8::/33").contains(network("2001:db8:7fff::1")));
    CHECK_FALSE(network("2001:db8::/33").contains(network("2001:db8:8000::1")));
    CHECK_FALSE(network("10.3.0.0/24").contains(network("10.3.0.0/16")));
}

TEST_CASE("addresses of one place") {
    CHECK(network("192.0.2.1").at_one_place().text() == "192.0.2.1");
    CHECK(network("2001:db8:1:2:3:4:5:6").at_one_place().text() == "2001:db8:1:2::/64");
}

TEST_CASE("what is no network is refused") {
    auto const text = GENERATE("", "10.3", "10.3.0.0/33", "10.3.0.0/", "10.3.0.0/x", "10.3.0.0/16/8", "2001:db8::/129",
                               "host", "10.3.0.0/-1", "10.3.0.0/ 8");
    INFO(text);
    CHECK_FALSE(IpNetwork::parse(text).has_value());
}

}  // namespace ip_network_test
