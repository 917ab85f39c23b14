#include "core/schedule.hpp"

#include <catch2/catch.hpp>

namespace schedule_test {

using namespace lull;

namespace {

// Unix time, as `date -u -d ... +%s` prints it.
WallTime at(std::int64_t seconds) { return {seconds * 1'000'000}; }

constexpr std::int64_t january_noon_utc = 1'768'478'400;  // 2026-01-15 12:00
constexpr std::int64_t july_noon_utc = 1'784'116'800;     // 2026-07-15 12:00
constexpr std::int64_t hour = 3600;

}  // namespace

TEST_CASE("a schedule without windows permits everything") { CHECK(Schedule().share_at(at(january_noon_utc)) == 1); }

TEST_CASE("a window goes over midnight, by the clocks of its place") {
    auto const schedule = Schedule::parse("22:00-05:00 Europe/Berlin 100%, else 10%");
    REQUIRE(schedule.has_value());
    CHECK(schedule->share_at(at(january_noon_utc + 9 * hour - 1)) ==
          0.1);  // 21:59 in Berlin, in winter an hour before UTC
    CHECK(schedule->share_at(at(january_noon_utc + 9 * hour)) == 1);
    CHECK(schedule->share_at(at(january_noon_utc + 16 * hour - 1)) == 1);
    CHECK(schedule->share_at(at(january_noon_utc + 16 * hour)) == 0.1);
    CHECK(schedule->share_at(at(july_noon_utc + 8 * hour - 1)) == 0.1);  // in summer two hours
    CHECK(schedule->share_at(at(july_noon_utc + 8 * hour)) == 1);
}

TEST_CASE("the first window that holds counts, and a day ends at 24:00") {
    auto const schedule = Schedule::parse("12:00-13:00 UTC 50%, 00:00-24:00 UTC 20%, else 100%");
    REQUIRE(schedule.has_value());
    CHECK(schedule->share_at(at(january_noon_utc)) == 0.5);
    CHECK(schedule->share_at(at(january_noon_utc + hour)) == 0.2);
    CHECK(schedule->share_at(at(january_noon_utc + 12 * hour - 1)) == 0.2);
}

TEST_CASE("what is no schedule is refused with what is wrong") {
    auto const text = GENERATE("", "else 10%", "22:00-05:00 100%", "22:00-05:00 Europe/Nowhere 100%", "22-05 UTC 100%",
                               "25:00-26:00 UTC 10%", "22:00-05:00 UTC 101%", "22:00-05:00 UTC 50",
                               "22:00-05:00 UTC -1%", "else 10%, 22:00-05:00 UTC 50%", "22:60-23:00 UTC 5%",
                               "24:01-05:00 UTC 5%", "22:00-05:00 ../../etc/passwd 5%");
    INFO(text);
    auto const schedule = Schedule::parse(text);
    REQUIRE_FALSE(schedule.has_value());
    CHECK(schedule.error().fault == Fault::usage);
}

TEST_CASE("times alone permit everything within them and nothing else, and tell when that changes") {
    auto const schedule = Schedule::parse_times("13:00-14:30 UTC, 22:00-05:00 UTC");
    REQUIRE(schedule.has_value());
    CHECK(schedule->share_at(at(january_noon_utc)) == 0);
    CHECK(schedule->next_change(at(january_noon_utc + 17)) == at(january_noon_utc + hour));
    CHECK(schedule->share_at(at(january_noon_utc + hour)) == 1);
    CHECK(schedule->next_change(at(january_noon_utc + hour)) == at(january_noon_utc + 5 * hour / 2));
    CHECK(schedule->next_change(at(january_noon_utc + 10 * hour)) == at(january_noon_utc + 17 * hour));
    CHECK(Schedule().next_change(at(january_noon_utc)) == at(january_noon_utc + 25 * hour));
}

TEST_CASE("times that cannot be understood are refused with what they should look like") {
    auto const text = GENERATE("", "22:00-05:00", "22:00-05:00 UTC 50%", "22:00-05:00 UTC, else 10%",
                               "22:00-05:00 Nowhere/City");
    auto const schedule = Schedule::parse_times(text);
    REQUIRE_FALSE(schedule.has_value());
    CHECK(schedule.error().fault == Fault::usage);
}

}  // namespace schedule_test
