#pragma once

#include <deque>

#include "core/units.hpp"

namespace lull::broker {

struct DelayBaseLimits {
    Duration bucket = std::chrono::seconds(10);  // of which the least delay is kept
    std::size_t buckets = 30;                    // so five minutes in all
    double most_drift = 250e-6;                  // of the receiver's clock against ours, seconds a second
};

// The least one-way delay of a path, as two clocks show it that differ by any offset and drift apart (50 ppm are 15 ms
// in five minutes). Keeps the least delay of each bucket of time; the drift is the slope of that edge of their lower
// convex hull which lies over the middle of the time (Moon, Skelly, Towsley: Estimation and Removal of Clock Skew,
// 1999): queues only ever lift points above it.
class DelayBase {
public:
    explicit DelayBase(DelayBaseLimits limits = {}) : limits_(limits) {}

    void add(TimePoint when, Duration delay);

    // What a packet without any queue would show now; needs one sample at least.
    [[nodiscard]] Duration at(TimePoint now) const;
    [[nodiscard]] bool empty() const { return buckets_.empty(); }
    // Seconds a second by which the delay seems to grow.
    [[nodiscard]] double drift() const { return drift_; }

private:
    struct Bucket {
        TimePoint begin;
        TimePoint when;  // of the least
        Duration least;
    };
    // The least of a bucket, moved along the drift to another time.
    [[nodiscard]] Duration moved(Bucket const& bucket, TimePoint to) const;
    void begin_bucket(TimePoint when, Duration delay);
    void estimate_drift();

    DelayBaseLimits limits_;
    std::deque<Bucket> buckets_;
    double drift_ = 0;
    // The least over all buckets, so that a sample costs no walk over them.
    TimePoint least_when_;
    Duration least_{};
};

}  // namespace lull::broker
