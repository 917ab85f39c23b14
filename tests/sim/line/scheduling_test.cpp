#include "tests/sim/line/scheduling.hpp"

#include <catch2/catch.hpp>

using namespace lull;
using namespace lull::sim;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint start{1000s};

}  // namespace

TEST_CASE("a thread is late by a tenth of a millisecond as a rule, never by more than the most unless it stalls") {
    Scheduling thread({.longest_stall = 0ms}, 1);
    Duration sum{};
    constexpr int wakings = 10'000;
    for (int i = 0; i < wakings; ++i) {
        auto const wait = thread.wait(start + i * 10ms);
        CHECK(wait <= 2ms);
        sum += wait;
    }
    CHECK(sum / wakings > 80us);
    CHECK(sum / wakings < 250us);
}

TEST_CASE("stalls are rare, and what comes meanwhile is handled at their end") {
    Scheduling thread({}, 1);
    int stalls = 0;
    for (auto now = start; now < start + 100s; now += 20ms) {
        auto const wait = thread.wait(now);
        CHECK(wait <= 12ms);
        if (wait < 5ms) continue;
        ++stalls;
        CHECK(thread.wait(now + 1ms) == wait - 1ms);
    }
    CHECK(stalls > 5);
    CHECK(stalls < 60);
}

TEST_CASE("with zeros everything is handled at once") {
    Scheduling thread({.usual = 0ms, .sometimes = 0, .longest_stall = 0ms}, 1);
    CHECK(thread.wait(start) == 0ms);
}
