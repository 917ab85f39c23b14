#pragma once

#include <functional>
#include <random>
#include <vector>

#include "broker/delivery/governor/path_controller.hpp"

namespace lull::broker::test {

// A line as a fluid: no packets, others' traffic as a rate. Quick enough for 10 Gbit/s, and exact where a simulator is
// not.
struct SyntheticLine {
    std::function<ByteRate(Duration)> rate = [](Duration) { return Mbit(20); };
    std::function<ByteRate(Duration)> others = [](Duration) { return ByteRate(); };
    Duration round_trip = std::chrono::milliseconds(20);
    bool fair = false;  // others take half at most and leave the queue to us
    double drift = 0;   // of the receiver's clock
    // Extra delay of a frame that leaves the queue now; arrivals stay in order.
    std::function<Duration(Duration, std::mt19937_64&)> jitter = [](Duration, std::mt19937_64&) { return Duration(); };
};

// What a controller did on a line.
struct Course {
    struct Step {
        Bytes delivered;  // to the node in this 10 ms
        Duration queue;   // in the line at its end
    };
    std::vector<Step> steps;  // of 10 ms

    [[nodiscard]] ByteRate rate(Duration from, Duration to) const;
    // The queue below which this share of the time lies.
    [[nodiscard]] Duration queue(Duration from, Duration to, double share) const;
};

[[nodiscard]] Course drive(PathController& controller, SyntheticLine const& line, Duration time,
                           std::uint64_t seed = 1);

}  // namespace lull::broker::test
