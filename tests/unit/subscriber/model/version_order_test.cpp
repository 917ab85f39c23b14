#include "subscriber/model/version_order.hpp"

#include <catch2/catch.hpp>

namespace lull::subscriber::test::version_order_test {

TEST_CASE("versions are compared by their numbers, not by their letters") {
    CHECK(is_newer_version("1.10", "1.9"));
    CHECK(is_newer_version("2", "1.9.9"));
    CHECK(is_newer_version("0.1.1", "0.1.0"));
    CHECK(is_newer_version("0.1.0.1", "0.1.0"));
    CHECK_FALSE(is_newer_version("1.9", "1.10"));
    CHECK_FALSE(is_newer_version("0.1", "0.1.0"));
    CHECK_FALSE(is_newer_version("0.1.0", "0.1"));
    CHECK_FALSE(is_newer_version("1.2", "1.2"));
}

TEST_CASE("what follows the numbers of a version does not count, and a version without a number is never newer") {
    CHECK(is_newer_version("1.3-rc1", "1.2"));
    CHECK_FALSE(is_newer_version("1.2-rc2", "1.2-rc1"));
    CHECK_FALSE(is_newer_version("nightly", "0.1.0"));
    CHECK_FALSE(is_newer_version("99999999999999999999999", "0.1.0"));
}

}  // namespace lull::subscriber::test::version_order_test
