#include "broker/delivery/governor/path_capacity.hpp"

#include <catch2/catch.hpp>

namespace path_capacity_test {

using namespace lull;
using namespace lull::broker;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint start{1000s};
using Round = PathCapacity::Round;

// Frames of 10 kB every 4 ms (2.5 MB a second), which arrive every `spacing`.
struct Frames {
    PathCapacity capacity;
    TimePoint sent = start;
    Duration queue{};

    void round(Round round, Duration spacing, int frames = 10) {
        for (int i = 0; i < frames; ++i) {
            sent += 4ms;
            queue = std::max<Duration>(0ms, queue + spacing - 4ms);
            capacity.on({sent, sent + 20ms + queue, Bytes(10'000), 20ms + queue, queue});
        }
        capacity.end_round(round, sent);
    }
};

}  // namespace

TEST_CASE("three busy rounds tell the capacity, a slack one begins the count anew") {
    Frames frames;
    frames.round(Round::busy, 4ms);
    frames.round(Round::busy, 4ms);
    frames.round(Round::slack, 4ms);
    frames.round(Round::busy, 4ms);
    frames.round(Round::busy, 4ms);
    CHECK(frames.capacity.learned().zero());
    frames.round(Round::busy, 4ms);
    CHECK(frames.capacity.learned().per_second() == Approx(2'500'000).epsilon(0.01));
}

TEST_CASE("one round in which a queue stood tells it at once, and it tells what arrived, not what was sent") {
    Frames frames;
    frames.round(Round::full, 8ms);
    CHECK(frames.capacity.learned().per_second() == Approx(1'250'000).epsilon(0.02));
    CHECK(frames.capacity.learned().per_second() < 1'250'000);  // by a thread that was late it would seem more
}

TEST_CASE("frames that a stall held up and that arrive together are no capacity") {
    PathCapacity capacity;
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 10; ++i) {
            auto const sent = start + round * 40ms + i * 4ms;
            auto const queue = (9 - i) * 4ms;  // all arrive at once
            capacity.on({sent, sent + 20ms + queue, Bytes(10'000), 20ms + queue, queue});
        }
        capacity.end_round(Round::busy, start + round * 40ms);
    }
    CHECK(capacity.learned().per_second() < 2'600'000);
}

TEST_CASE("what was learned is kept for two minutes, and longer where nothing newer is known") {
    Frames frames;
    for (int i = 0; i < 3; ++i) frames.round(Round::busy, 4ms);
    frames.sent += 1h;
    CHECK(frames.capacity.learned().per_second() == Approx(2'500'000).epsilon(0.01));
    for (int i = 0; i < 3; ++i) frames.round(Round::full, 8ms);
    frames.sent += 121s;
    frames.round(Round::slack, 8ms);
    frames.round(Round::full, 8ms);
    CHECK(frames.capacity.learned().per_second() == Approx(1'250'000).epsilon(0.05));
}

TEST_CASE("frames whose delay is unknown count by their bytes all the same") {
    PathCapacity capacity;
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 12; ++i) {
            auto const sent = start + (round * 12 + i) * 4ms;
            auto const queue = i % 3 == 0 ? std::optional<Duration>(0ms) : std::nullopt;
            capacity.on({sent, sent + 20ms, Bytes(10'000), 20ms, queue});
        }
        capacity.end_round(Round::busy, start + round * 48ms);
    }
    CHECK(capacity.learned().per_second() == Approx(2'500'000).epsilon(0.01));
}

}  // namespace path_capacity_test
