#include "broker/delivery/governor/path_delay.hpp"

#include <catch2/catch.hpp>

namespace path_delay_test {

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

TEST_CASE("what the kernels do not see is no queue of the network") {
    PathDelay delay;
    auto const sample = [](Duration at, Duration late, Duration kernels) {
        auto const sent = start + at;
        return PathSample{sent,   sent.time_since_epoch() + 10ms + late, sent + 20ms + late, Bytes(1400), {}, {},
                          kernels};
    };
    (void)delay.on(sample(0s, 0ms, 20ms));
    CHECK(delay.on(sample(1s, 50ms, 20ms)).queue == 0ms);  // the receiver's program was late
    CHECK(delay.on(sample(2s, 50ms, 24ms)).queue == 12ms);
    CHECK(delay.on(sample(3s, 7ms, 90ms)).queue ==
          7ms);  // the kernel's mean is of before, or its acknowledgements came late
}

TEST_CASE("one packet of a slow line is no queue, and a probe is held against probes") {
    PathDelay delay;
    auto const sample = [](Duration at, Bytes size, Duration one_way) {
        auto const sent = start + at;
        return PathSample{sent, sent.time_since_epoch() + one_way, sent + one_way + 10ms, size, {}, {}, {}};
    };
    CHECK(delay.on(sample(0s, Bytes(32), 10ms)).queue == 0ms);
    CHECK(delay.on(sample(1s, Bytes(1400), 16ms)).queue == 0ms);
    CHECK(delay.on(sample(2s, Bytes(1400), 19ms)).queue == 3ms);
    CHECK(delay.on(sample(3s, Bytes(32), 13ms)).queue == 3ms);
    CHECK(delay.on(sample(4s, Bytes(5000), 12ms)).queue == 2ms);
}

}  // namespace path_delay_test
