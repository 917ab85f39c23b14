#include "tests/sim/line/scheduling.hpp"

#include <cmath>

#include "core/byte_rate.hpp"

namespace lull::sim {

Scheduling::Scheduling(Lateness lateness, std::uint64_t seed) : lateness_(lateness), random_(seed) {}

Duration Scheduling::exponential(Duration mean) {
    constexpr std::uint64_t fine = 1'000'000;
    auto const chance = (static_cast<double>(random_.below(fine)) + 0.5) / static_cast<double>(fine);
    return scaled(mean, -std::log(chance));
}

Duration Scheduling::wait(TimePoint now) {
    if (now < awake_) return awake_ - now;
    auto const often = std::min(exponential(lateness_.usual), lateness_.most);
    awake_ = now + (random_.chance(lateness_.sometimes) ? random_.between(Duration::zero(), lateness_.most) : often);
    if (lateness_.longest_stall == Duration::zero() || now < next_stall_) return awake_ - now;
    if (next_stall_ != TimePoint()) awake_ += random_.between(lateness_.longest_stall / 2, lateness_.longest_stall);
    next_stall_ = now + exponential(lateness_.stall_every);
    return awake_ - now;
}

}  // namespace lull::sim
