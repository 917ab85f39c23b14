#include "core/duration.hpp"

#include <catch2/catch.hpp>

namespace duration_test {

using namespace lull;
using namespace std::chrono_literals;

TEST_CASE("lengths of time are read with and without units") {
    CHECK(parse_duration("0") == 0s);
    CHECK(parse_duration("90") == 90s);
    CHECK(parse_duration("30s") == 30s);
    CHECK(parse_duration("5 min") == 300s);
    CHECK(parse_duration("5m") == 300s);
    CHECK(parse_duration("2h") == 7200s);
    CHECK(parse_duration("7d") == 604'800s);
    CHECK(parse_duration("3660d") == 316'224'000s);
}

TEST_CASE("what is no length of time, or is longer than ten years, is refused with what it should look like") {
    auto const text = GENERATE("", "s", "-1s", "1.5h", "1y", "5 minutes", "3661d", "99999999999999999999", "1 h x");
    auto const duration = parse_duration(text);
    REQUIRE_FALSE(duration);
    CHECK(duration.error().fault == Fault::usage);
    CHECK(duration.error().message.find("30s") != std::string::npos);
}

}  // namespace duration_test
