#include "broker/fleet/status_counters.hpp"

#include <algorithm>

namespace lull::broker {

NodeState state_of(Seq release, std::optional<NodeReport> const& row) {
    if (!row) return NodeState::undistributed;
    if (row->active == release && row->seq != release) return NodeState::active;
    if (row->seq == release) return row->state;
    return row->seq > release ? NodeState::superseded : NodeState::undistributed;
}

void StatusCounters::change(NodeReport const& row, Presence presence, std::int64_t by) {
    std::int64_t const away = presence == Presence::away ? by : 0;
    auto& reported = releases_[row.seq];
    reported.reported[static_cast<std::size_t>(row.state)] += by;
    reported.total += by;
    if (row.state == NodeState::active) reported.away_active += away;
    if (row.active) {
        auto& active = releases_[*row.active];
        active.active += by;
        if (*row.active != row.seq) {
            active.active_beside += by;
            active.away_active += away;
        }
        if (row.seq > *row.active) active.active_behind += by;
    }
    if (by > 0) return;
    auto const drop_if_unused = [&](Seq seq) {
        auto const found = releases_.find(seq);
        if (found != releases_.end() && found->second.total == 0 && found->second.active == 0) releases_.erase(found);
    };
    drop_if_unused(row.seq);
    if (row.active) drop_if_unused(*row.active);
}

StatusCounters::Counts StatusCounters::counts(Seq release) const {
    Counts counts;
    auto const at = [&](NodeState state) -> std::uint64_t& { return counts.nodes[static_cast<std::size_t>(state)]; };
    auto const found = releases_.find(release);
    if (found != releases_.end()) {
        std::ranges::copy(found->second.reported, counts.nodes.begin());
        at(NodeState::active) += static_cast<std::uint64_t>(found->second.active_beside);
        counts.away_active = static_cast<std::uint64_t>(found->second.away_active);
    }
    std::int64_t later = 0;
    for (auto next = releases_.upper_bound(release); next != releases_.end(); ++next) later += next->second.total;
    if (found != releases_.end()) later -= found->second.active_behind;
    at(NodeState::superseded) += static_cast<std::uint64_t>(later);
    return counts;
}

std::map<Seq, std::uint64_t> StatusCounters::active() const {
    std::map<Seq, std::uint64_t> active;
    for (auto const& [seq, release] : releases_) {
        if (release.active > 0) active[seq] = static_cast<std::uint64_t>(release.active);
    }
    return active;
}

std::uint64_t StatusCounters::active_on(Seq release) const {
    auto const found = releases_.find(release);
    return found == releases_.end() ? 0 : static_cast<std::uint64_t>(found->second.active);
}

std::vector<Seq> StatusCounters::releases() const {
    std::vector<Seq> releases;
    for (auto const& [seq, release] : releases_) releases.push_back(seq);
    return releases;
}

}  // namespace lull::broker
