#include "broker/delivery/governor/cross_traffic.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace lull::broker {

namespace {

constexpr Duration mean_over = std::chrono::seconds(1);
constexpr Duration forgotten_after = std::chrono::hours(1);
// A counter that does not move for so long is not slow: nothing is sent.
constexpr Duration most_period = std::chrono::seconds(2);

double share_of(Duration passed, Duration whole) { return 1 - std::exp(-to_seconds(passed) / to_seconds(whole)); }

}  // namespace

// The change happened at some time since the counter was last looked at, so up to that much of our own bytes may stand
// on the other side of it. The last reading alone does not hold it against others; in the mean it cancels out.
bool CrossTraffic::on(CounterReading const& reading) {
    auto const looked = std::exchange(asked_, reading.at);
    if (!previous_ || reading.all < previous_->all || reading.ours < previous_->ours) return rebase(reading);
    auto const passed = reading.at - previous_->at;
    bool const moved = reading.all != previous_->all;
    auto const patience = period_ == Duration::zero() ? most_period : std::min(2 * period_, most_period);
    if (passed <= Duration::zero() || (!moved && passed < patience)) return false;
    if (std::exchange(unsure_, false)) {  // how much of this was before the first reading nobody knows
        previous_ = reading;
        return false;
    }
    auto const ours = reading.ours - previous_->ours;
    auto const all = reading.all - previous_->all;
    bool const rare = passed > 2 * (reading.at - looked);
    auto const doubt = rare ? flowing(rate_of(ours, passed), reading.at - looked) : Bytes();
    total_ = rate_of(all, passed);
    last_ = total_ - rate_of(ours + doubt, passed);
    auto const share = share_of(passed, mean_over);
    auto const others = total_.per_second() - rate_of(ours, passed).per_second();  // below zero if the counter was late
    mean_ = others * share + mean_ * (1 - share);
    if (moved) period_ = period_ == Duration::zero() ? passed : period_ + (passed - period_) / 8;
    previous_ = reading;
    return true;
}

bool CrossTraffic::rebase(CounterReading const& reading) {
    previous_ = reading;
    unsure_ = true;
    return false;
}

void LineCapacity::on(ByteRate total, TimePoint now) {
    auto const kept = learned_ * (1 - share_of(now - when_, forgotten_after));
    learned_ = std::max(total, kept);
    when_ = now;
}

}  // namespace lull::broker
