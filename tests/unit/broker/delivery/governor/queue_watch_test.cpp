#include "broker/delivery/governor/queue_watch.hpp"

#include <catch2/catch.hpp>

namespace queue_watch_test {

using namespace lull;
using namespace lull::broker;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint start{1000s};
constexpr Duration usual = 3ms;
constexpr ByteRate capacity(2'500'000);

// Frames of 5 kB: 2 ms of the capacity.
QueueSample frame(Duration sent, Duration queue) {
    return {start + sent, start + sent + 20ms + queue, Bytes(5'000), 20ms + queue, queue};
}

// Probes of an almost idle path whose delays go up and down between nothing and `most`.
QueueWatch with_baseline(Duration most, PathTuning const& tuning = {}) {
    QueueWatch watch(tuning);
    for (int i = 0; i < 120; ++i) watch.baseline(most * (i * 7 % 10) / 9);
    return watch;
}

}  // namespace

TEST_CASE("one sample over the threshold is no queue, two at the pace of the line are") {
    QueueWatch watch{{}};
    watch.add(frame(0ms, 6ms), usual, capacity);
    CHECK(watch.over());
    CHECK_FALSE(watch.stands());
    watch.add(frame(2ms, 6ms), usual, capacity);
    CHECK(watch.stands());
    watch.add(frame(4ms, 1ms), usual, capacity);
    CHECK_FALSE(watch.over());
    CHECK_FALSE(watch.stands());
}

TEST_CASE("frames that a late receiver stamps all at once are no queue") {
    QueueWatch watch{{}};
    for (auto sent = 0ms; sent <= 8ms; sent += 2ms) {
        watch.add(frame(sent, 12ms - sent), usual, capacity);
        CHECK_FALSE(watch.stands());
    }
}

TEST_CASE("control: without an eye for stalls a late receiver looks like a queue") {
    QueueWatch watch({.least_window = 0ms, .stall = 0});
    watch.add(frame(0ms, 12ms), usual, capacity);
    watch.add(frame(2ms, 10ms), usual, capacity);
    CHECK(watch.stands());
}

TEST_CASE("where every packet jitters the threshold is higher and a queue must stand for longer") {
    auto const steady = with_baseline(200us);
    CHECK(steady.threshold(usual) == usual);
    CHECK(steady.window() == 2ms);
    auto watch = with_baseline(30ms);
    CHECK(watch.threshold(usual) > 25ms);
    CHECK(watch.threshold(usual) <= 40ms);
    CHECK(watch.window() > 20ms);
    auto const half_window = watch.window() / 2;
    for (auto sent = Duration(); sent <= half_window; sent += 2ms) watch.add(frame(sent, 60ms), usual, capacity);
    CHECK_FALSE(watch.stands());
    for (auto sent = half_window; sent <= 3 * half_window; sent += 2ms) watch.add(frame(sent, 60ms), usual, capacity);
    CHECK(watch.stands());
}

TEST_CASE("bursts of others in a quarter of the time are no jitter") {
    QueueWatch watch{{}};
    for (int i = 0; i < 120; ++i) watch.baseline(i % 4 == 0 ? 6ms : 0ms);
    CHECK(watch.jitter() == 0ms);
    CHECK(watch.window() == 2ms);
}

TEST_CASE("a queue without gaps is a persistent queue, bursts are none") {
    QueueWatch kept{{}};
    QueueWatch bursts{{}};
    for (int i = 0; i < 200; ++i) {
        kept.add(frame(i * 2ms, 10ms), usual, capacity);
        bursts.add(frame(i * 2ms, std::max<Duration>(0ms, 10ms - 2ms * (i % 15))), usual, capacity);
    }
    CHECK(kept.persistent_queue() > 0.9);
    CHECK(bursts.persistent_queue() < 0.5);
}

}  // namespace queue_watch_test
