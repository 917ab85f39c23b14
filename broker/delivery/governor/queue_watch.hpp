#pragma once

#include <deque>
#include <optional>

#include "broker/delivery/governor/busyness.hpp"
#include "broker/delivery/governor/path_delay.hpp"
#include "broker/delivery/governor/path_noise.hpp"
#include "broker/delivery/governor/path_tuning.hpp"
#include "core/byte_rate.hpp"

namespace lull::broker {

// Tells a queue that stands on a path from a delay that passes: one late thread, a stall of a radio, jitter. A queue
// stands when every sample of a window was over the threshold; the noisier the path shows itself, the longer the window
// and the higher the threshold.
class QueueWatch {
public:
    explicit QueueWatch(PathTuning const& tuning);

    // A sample of the path as it is while we hardly send: its noise.
    void baseline(Duration queue) { noise_.add(queue); }
    // Any sample with a known queue, in the order of arrival. `capacity`: of the path, zero if unknown.
    void add(QueueSample const& sample, Duration usual_threshold, ByteRate capacity);
    // Begins a new window: what was seen before is answered.
    void forget();

    [[nodiscard]] Duration threshold(Duration usual) const;
    [[nodiscard]] bool over() const { return over_.has_value(); }  // the last sample was
    [[nodiscard]] bool stands() const { return stands_; }
    // No sample was under the threshold since; nothing if the last one was.
    [[nodiscard]] std::optional<TimePoint> busy_since() const { return busy_since_; }
    // The share of the last fifth of a second in which a queue stood.
    [[nodiscard]] double persistent_queue() const { return persistent_queue_.share(); }
    // What half of all samples show without any queue.
    [[nodiscard]] Duration jitter() const { return noise_.jitter(); }
    // Over which single delays say nothing.
    [[nodiscard]] Duration window() const;

private:
    [[nodiscard]] bool stalled(QueueSample const& sample, ByteRate capacity) const;

    PathTuning tuning_;
    PathNoise noise_;
    Busyness persistent_queue_;
    std::optional<QueueSample> over_;  // the last sample, if it was over the threshold
    std::optional<TimePoint> busy_since_;
    std::optional<TimePoint> first_over_;  // arrival of the first one of the window
    bool stands_ = false;
};

}  // namespace lull::broker
