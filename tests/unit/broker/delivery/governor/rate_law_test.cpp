#include "broker/delivery/governor/rate_law.hpp"

#include <catch2/catch.hpp>

namespace rate_law_test {

using namespace lull;
using namespace lull::broker;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint start{1000s};
constexpr ByteRate capacity(2'500'000);
constexpr ByteRate unlimited(1e12);

// Rounds of 20 ms.
struct Rounds {
    RateLaw law{{}};
    TimePoint now = start;

    void climb(Duration time, double room = 1, ByteRate known = capacity) {
        for (auto const end = now + time; now < end;) {
            now += 20ms;
            law.climb({now, 20ms, room, known, unlimited});
        }
    }
    [[nodiscard]] double share() const { return law.rate() / capacity; }
};

}  // namespace

TEST_CASE(
    "on a clean line the rate climbs within half a second to just below the capacity, and explores above it for "
    "moments only") {
    Rounds rounds;
    rounds.climb(500ms);
    CHECK(rounds.share() == Approx(0.97).margin(0.07));
    int above = 0;
    for (int i = 0; i < 500; ++i) {
        rounds.climb(20ms);
        CHECK(rounds.share() < 1.04);
        above += rounds.share() > 1 ? 1 : 0;
    }
    CHECK(above > 0);
    CHECK(above < 50);
}

TEST_CASE("after others were met the rate climbs steadily, and a long stop ends that") {
    Rounds rounds;
    rounds.law.meet_others(rounds.now);
    auto const before = rounds.share();
    rounds.climb(200ms);
    CHECK(rounds.share() == Approx(before + 0.2).margin(0.03));

    Rounds stopped;
    stopped.law.meet_others(stopped.now);
    stopped.law.resume(RateLaw::Stop::long_one, capacity, stopped.now);
    stopped.climb(100ms);
    CHECK(stopped.share() > 0.9);
}

TEST_CASE("without room nothing grows") {
    Rounds rounds;
    auto const before = rounds.law.rate();
    rounds.climb(1s, 0);
    CHECK(rounds.law.rate() == before);
}

TEST_CASE("who is congested far below the capacity yields more than who fills the line alone") {
    Rounds alone;
    alone.climb(500ms);
    auto const full = alone.law.rate();
    alone.law.cut(RateLaw::Depth::usual, capacity);
    CHECK(alone.law.rate() / full == Approx(0.95));
    auto const less = alone.law.rate();
    alone.law.cut(RateLaw::Depth::usual, capacity * 2);
    CHECK(alone.law.rate() / less == Approx(0.9));
    auto const again = alone.law.rate();
    alone.law.cut(RateLaw::Depth::deep, capacity);
    CHECK(alone.law.rate() / again == Approx(0.5));
}

TEST_CASE("two who meet on one line come nearer to each other, whatever each of them had before") {
    Rounds large;
    Rounds small;
    large.climb(500ms);
    for (int i = 0; i < 3000; ++i) {
        large.climb(20ms, 1, capacity);
        small.climb(20ms, 1, capacity * 0.5);
        if (large.law.rate() + small.law.rate() < capacity) continue;
        large.law.cut(RateLaw::Depth::usual, capacity);
        large.law.meet_others(large.now);
        small.law.cut(RateLaw::Depth::usual, capacity * 0.5);
        small.law.meet_others(small.now);
    }
    CHECK(large.law.rate() / small.law.rate() < 2.5);
}

}  // namespace rate_law_test
