#include "broker/governor/path_delay.hpp"

#include <catch2/catch.hpp>

using namespace lull;
using namespace lull::broker;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint start{1000s};

// A frame over a way of 10 ms each, with queues on the way there and back, by a clock that is seven hours ahead.
PathSample sample(TimePoint sent, Duration there = {}, Duration back = {}) {
    return {.sent = sent,
            .received = sent.time_since_epoch() + 7h + 10ms + there,
            .acknowledged = sent + 20ms + there + back,
            .size = Bytes(1400)};
}

}  // namespace

TEST_CASE("a queue on the way to the node is seen as it is, one on the way back is not") {
    PathDelay delay;
    CHECK(delay.on(sample(start)).queue == 0ms);
    CHECK(delay.on(sample(start + 1s, 6ms)).queue == 6ms);
    CHECK(delay.on(sample(start + 2s, 0ms, 40ms)).queue == 0ms);
    CHECK(delay.on(sample(start + 3s, 6ms, 40ms)).queue == 6ms);
    CHECK(delay.least_round_trip(start + 3s) == 20ms);
}

TEST_CASE("time that the kernel spends on pacing a frame is no queue") {
    PathDelay delay;
    (void)delay.on(sample(start));
    auto paced = sample(start + 1s, 8ms);
    paced.pacing = 8ms;
    CHECK(delay.on(paced).queue == 0ms);
}

TEST_CASE("a frame that was handed over behind unsent bytes tells nothing") {
    PathDelay delay;
    auto behind = sample(start);
    behind.unsent = Bytes(1);
    CHECK(delay.on(behind).queue == std::nullopt);
    CHECK(delay.least_round_trip(start) == std::nullopt);
}

TEST_CASE("differences between arrivals do not depend on the receiver's clock") {
    PathDelay delay;
    (void)delay.on(sample(start));
    auto const first = delay.on(sample(start + 1s, 5ms));
    auto const second = delay.on(sample(start + 1s + 2ms, 4ms));
    CHECK(second.arrived() - first.arrived() == 1ms);
}
