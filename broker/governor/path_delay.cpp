#include "broker/governor/path_delay.hpp"

#include <algorithm>

namespace lull::broker {

namespace {

DelayBaseLimits without_drift(DelayBaseLimits limits) {
    limits.most_drift = 0;
    return limits;
}

}  // namespace

PathDelay::PathDelay(DelayBaseLimits limits) : one_way_(limits), round_trip_(without_drift(limits)) {}

QueueSample PathDelay::on(PathSample const& sample) {
    auto const round_trip = sample.acknowledged - sample.sent - sample.pacing;
    QueueSample result{sample.sent + sample.pacing, sample.acknowledged, sample.size, round_trip, std::nullopt};
    if (!sample.unsent.zero()) return result;
    auto const one_way = sample.received - sample.sent.time_since_epoch() - sample.pacing;
    one_way_.add(sample.sent, one_way);
    round_trip_.add(sample.sent, round_trip);
    result.queue = std::max(Duration::zero(),
                            std::min(one_way - one_way_.at(sample.sent), round_trip - round_trip_.at(sample.sent)));
    return result;
}

std::optional<Duration> PathDelay::least_round_trip(TimePoint now) const {
    if (round_trip_.empty()) return std::nullopt;
    return round_trip_.at(now);
}

}  // namespace lull::broker
