#include "broker/fleet/presence_sweep.hpp"

#include <algorithm>

namespace lull::broker {

namespace {

constexpr std::size_t ticks_per_sweep = 15;
constexpr std::size_t least_per_tick = 1000;  // costs less than a millisecond

}  // namespace

void PresenceSweep::set(NodeNumber node, Presence presence) {
    if (nodes_[node] == presence) return;
    nodes_[node] = presence;
    away_count_ = presence == Presence::away ? away_count_ + 1 : away_count_ - 1;
    node_status_.set_presence(peers_.key_of(node), presence);
    for (auto* const observer : observers_) observer->presence_changed(node, presence);
}

void PresenceSweep::heard(PeerKey const& node) {
    auto const number = peers_.number_of(node);
    if (number && of(*number) == Presence::away) set(*number, Presence::present);
}

void PresenceSweep::forget(NodeNumber node) {
    if (of(node) == Presence::present) return;
    nodes_[node] = Presence::present;
    --away_count_;
}

void PresenceSweep::sweep(std::function<bool(PeerKey const&)> const& connected, WallTime now) {
    auto const count = peers_.numbers();
    bool const first = nodes_.empty();  // looks at all nodes: a rollout must not go on before it is known who is away
    nodes_.resize(count, Presence::present);
    auto const most = first ? count : std::min(count, std::max(least_per_tick, count / ticks_per_sweep + 1));
    for (std::size_t i = 0; i < most; ++i) {
        auto const node = next_;
        next_ = next_ + 1 < count ? next_ + 1 : 0;
        if (!peers_.is_enrolled(node)) continue;
        auto const& key = peers_.key_of(node);
        auto const* seen = last_seen_.find(key);
        bool const silent = seen == nullptr || std::chrono::microseconds(now.micros - seen->when.micros) > away_;
        set(node, silent && !connected(key) ? Presence::away : Presence::present);
    }
}

}  // namespace lull::broker
