#include "broker/calls/call_quota.hpp"

namespace lull::broker {

void CallQuota::refill(Use& use, TimePoint now) const {
    auto const most = static_cast<double>(settings_.per_minute);
    use.left = std::min(most, use.left + most / 60 * to_seconds(now - use.at));
    use.at = now;
}

CallQuota::Verdict CallQuota::take(PeerKey const& node, TimePoint now) {
    auto const fresh = Use{0, static_cast<double>(settings_.per_minute), now};
    auto& use = nodes_.try_emplace(node, fresh).first->second;
    refill(use, now);
    if (use.live >= settings_.per_node) return Verdict::too_many;
    if (use.left < 1) return Verdict::too_often;
    use.left -= 1;
    ++use.live;
    return Verdict::granted;
}

void CallQuota::release(PeerKey const& node) {
    auto const found = nodes_.find(node);
    LULL_INVARIANT(found != nodes_.end() && found->second.live > 0);
    --found->second.live;
}

void CallQuota::forget_idle(TimePoint now) {
    std::erase_if(nodes_, [&](auto const& entry) {
        auto use = entry.second;
        refill(use, now);
        return use.live == 0 && use.left >= static_cast<double>(settings_.per_minute);
    });
}

}  // namespace lull::broker
