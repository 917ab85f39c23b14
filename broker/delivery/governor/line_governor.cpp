#include "broker/delivery/governor/line_governor.hpp"

#include <algorithm>
#include <numeric>

namespace lull::broker {

void LineGovernor::on(CounterReading const& reading) {
    now_ = reading.at;
    if (!traffic_.on(reading)) return;
    learned_.on(traffic_.total(), reading.at);
    if (traffic_.rate() > capacity() * settings_.active_above) active_ = true;
    if (traffic_.rate() >= capacity() * settings_.quiet_below) {
        quiet_since_.reset();
        return;
    }
    if (!quiet_since_) quiet_since_ = reading.at;
    if (reading.at - *quiet_since_ >= settings_.quiet_after) active_ = false;
}

void LineGovernor::path_congested(TimePoint now) {
    constexpr Duration remembered = std::chrono::seconds(30);
    constexpr double about = 0.8;
    if (traffic_.total() >= learned_.learned() * about) filled_until_ = now + remembered;
}

ByteRate LineGovernor::capacity() const {
    ByteRate const unbounded(1e12);
    auto const bound = std::min(settings_.link_speed.value_or(unbounded), settings_.configured.value_or(unbounded));
    if (bound < unbounded && !filled()) return bound;
    return std::min(bound, std::max(learned_.learned(), settings_.least_capacity));
}

// Where the capacity is only the most that was seen so far, there must be room to see more, unless others use the line:
// while it is quiet each path finds out for itself what it bears.
ByteRate LineGovernor::budget(LineLimits const& limits) const {
    constexpr double room = 1.25;
    auto const all = capacity();
    auto const cross_traffic = std::max(traffic_.rate(), limits.cross_traffic_elsewhere);
    bool const told = (settings_.link_speed || settings_.configured) && !filled();
    bool const known = told || (filled() && active_);
    auto const left = all * (known ? settings_.ceiling : room) - cross_traffic;
    auto const flowing = std::max(left, all * settings_.progress);
    return limits.window < 1 ? std::min(flowing, all * limits.window) : flowing;
}

std::vector<LineShare> LineGovernor::divide(std::vector<PathClaim> const& claims, LineLimits const& limits) const {
    std::vector<std::size_t> order(claims.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return claims[a].urgency > claims[b].urgency; });
    auto const served = std::min(settings_.transfers, order.size());

    std::vector<Claim> shares;
    for (std::size_t i = 0; i < served; ++i) {
        auto const& claim = claims[order[i]];
        shares.push_back({weight(claim.urgency), claim.wanted, claim.group});
    }
    auto const rates = fill(budget(limits), shares, limits.caps);

    std::vector<LineShare> grants(claims.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
        auto const& claim = claims[order[i]];
        auto& grant = grants[order[i]];
        grant.path = claim.path;
        grant.position = i < served ? 0 : i - served + 1;
        grant.rate = i < served ? rates[i] : ByteRate();
        grant.reason = i < served ? why(claim, grant.rate, limits) : Reason::place_in_queue;
    }
    return grants;
}

Reason LineGovernor::why(PathClaim const& claim, ByteRate rate, LineLimits const& limits) const {
    constexpr double enough = 0.99;
    if (rate >= claim.wanted * enough) return Reason::none;
    if (rate >= limits.caps[claim.group] * enough) return Reason::cap;
    if (limits.window < 1 && budget(limits) >= capacity() * limits.window * enough) return Reason::window;
    if (!active_ && limits.cross_traffic_elsewhere < capacity() * settings_.active_above) return Reason::none;
    return settings_.progress > 0 ? Reason::line_busy : Reason::only_quiet;
}

}  // namespace lull::broker
