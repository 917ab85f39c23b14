#include "broker/delivery/governor/delay_base.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "core/byte_rate.hpp"

namespace delay_base_test {

using namespace lull;
using namespace lull::broker;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint start{1000s};

// The largest error of the base after the first minute, when the clocks drift apart and three of four samples meet a
// queue.
Duration worst_error(double drift, DelayBaseLimits limits, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    DelayBase base(limits);
    Duration worst{};
    for (Duration t{}; t < 10min; t += 50ms) {
        auto const truth = 10ms + scaled(t, drift);
        auto const queue = random() % 4 == 0 ? Duration::zero()
                                             : Duration(static_cast<std::int64_t>(random() % 20'000'000));
        base.add(start + t, truth + queue);
        if (t > 1min) worst = std::max(worst, std::chrono::abs(base.at(start + t) - truth));
    }
    return worst;
}

}  // namespace

TEST_CASE("the base of the delay stays within 0.3 ms although the clocks drift apart by up to 200 ppm") {
    for (auto const ppm : {-200, -50, 0, 50, 200}) {
        INFO(ppm << " ppm");
        CHECK(worst_error(ppm * 1e-6, {}, 7) < 300us);
    }
}

TEST_CASE("control: without a correction for drift the base is milliseconds away") {
    CHECK(worst_error(50e-6, {.most_drift = 0}, 7) > 3ms);
    CHECK(worst_error(200e-6, {.most_drift = 0}, 7) > 10ms);
}

TEST_CASE("a queue that stays for a minute does not become the base") {
    DelayBase base;
    for (Duration t{}; t < 2min; t += 50ms) base.add(start + t, 10ms);
    for (auto t = 2min + 0ms; t < 3min; t += 50ms) base.add(start + t, 30ms);
    CHECK(base.at(start + 3min) < 11ms);
}

TEST_CASE("a way that has become longer is the base after five minutes, a shorter one at once") {
    DelayBase base;
    Duration t{};
    for (; t < 1min; t += 50ms) base.add(start + t, 10ms);
    for (; t < 8min; t += 50ms) base.add(start + t, 30ms);
    CHECK(base.at(start + t) > 29ms);
    base.add(start + t, 5ms);
    CHECK(base.at(start + t) == 5ms);
}

TEST_CASE("offsets between clocks of hours and delays below zero are no matter") {
    DelayBase base;
    CHECK(base.empty());
    base.add(start, -7h);
    base.add(start + 1s, -7h + 3ms);
    CHECK(base.at(start + 1s) == -7h);
}

}  // namespace delay_base_test
