#include "broker/delivery/governor/queue_watch.hpp"

#include <algorithm>

namespace lull::broker {

QueueWatch::QueueWatch(PathTuning const& tuning) : tuning_(tuning), persistent_queue_(tuning.persistent_queue_memory) {}

Duration QueueWatch::threshold(Duration usual) const {
    auto const late = std::min(scaled(noise_.level(), tuning_.late_factor), tuning_.most_late_threshold);
    auto const spread = std::min(scaled(noise_.jitter(), tuning_.jitter_factor), tuning_.most_threshold);
    return std::max({usual, late, spread});
}

Duration QueueWatch::window() const {
    return std::clamp(scaled(noise_.jitter() - tuning_.plain_jitter, tuning_.window_factor), tuning_.least_window,
                      tuning_.most_window);
}

// A queue lets frames out as fast as the line is; what a stall of the radio or of the receiver held up arrives all at
// once.
bool QueueWatch::stalled(QueueSample const& sample, ByteRate capacity) const {
    if (capacity.zero()) return false;
    return sample.arrived() - over_->arrived() < scaled(time_for(sample.size, capacity), tuning_.stall);
}

void QueueWatch::add(QueueSample const& sample, Duration usual_threshold, ByteRate capacity) {
    if (*sample.queue <= threshold(usual_threshold)) {
        forget();
        busy_since_.reset();
    } else {
        if (!busy_since_) busy_since_ = sample.acknowledged;
        if (!first_over_) first_over_ = sample.arrived();
        stands_ = over_ && !stalled(sample, capacity) && sample.arrived() - *first_over_ >= window();
        over_ = sample;
    }
    bool const beyond_noise = over_ && sample.arrived() - *first_over_ >= window() - tuning_.least_window;
    persistent_queue_.add(beyond_noise ? Busyness::State::busy : Busyness::State::quiet, sample.acknowledged);
}

void QueueWatch::forget() {
    over_.reset();
    first_over_.reset();
    stands_ = false;
}

}  // namespace lull::broker
