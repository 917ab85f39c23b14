#include "broker/delivery/governor/path_delay.hpp"

#include <algorithm>

#include "broker/delivery/governor/frame_pacer.hpp"

namespace lull::broker {

namespace {

// The kernel's mean takes an eighth of each new round trip: it has a third of a queue after three of them.
constexpr int believed = 3;

DelayBaseLimits without_drift(DelayBaseLimits limits) {
    limits.most_drift = 0;
    return limits;
}

}  // namespace

PathDelay::PathDelay(DelayBaseLimits limits)
    : probes_{DelayBase(limits), DelayBase(without_drift(limits))},
      packets_{DelayBase(limits), DelayBase(without_drift(limits))},
      kernels_(without_drift(limits)) {}

QueueSample PathDelay::on(PathSample const& sample) {
    auto const round_trip = sample.acknowledged - sample.sent - sample.pacing;
    QueueSample result{sample.sent + sample.pacing, sample.acknowledged, sample.size, round_trip, std::nullopt};
    if (!sample.unsent.zero()) return result;
    auto const one_way = sample.received - sample.sent.time_since_epoch() - sample.pacing;
    bool const packet = sample.size > FramePacer::probe_size && sample.size <= FramePacer::least_frame;
    auto& bases = packet ? packets_ : probes_;
    bases.one_way.add(sample.sent, one_way);
    bases.round_trip.add(sample.sent, round_trip);
    auto const one_way_queue = one_way - bases.one_way.at(sample.sent);
    auto const round_trip_queue = round_trip - bases.round_trip.at(sample.sent);
    result.queue = std::max(Duration::zero(), std::min(one_way_queue, round_trip_queue));
    if (sample.kernels) {
        kernels_.add(sample.sent, *sample.kernels);
        auto const seen = *sample.kernels - kernels_.at(sample.sent);
        result.queue = std::min(*result.queue, std::max(Duration::zero(), believed * seen));
    }
    return result;
}

std::optional<Duration> PathDelay::least_round_trip(TimePoint now) const {
    auto const& bases = probes_.round_trip.empty() ? packets_ : probes_;
    if (bases.round_trip.empty()) return std::nullopt;
    return bases.round_trip.at(now);
}

}  // namespace lull::broker
