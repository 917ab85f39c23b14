#include "broker/rollout/rollout_tally.hpp"

#include <algorithm>

namespace lull::broker {

RolloutStatus rollout_status(NodeState state) {
    switch (state) {
        case NodeState::active:
        case NodeState::superseded: return RolloutStatus::done;
        case NodeState::failed:
        case NodeState::rolled_back: return RolloutStatus::failed;
        case NodeState::waiting:
        case NodeState::held: return RolloutStatus::blocked;
        default: return RolloutStatus::pending;
    }
}

void RolloutTally::add(std::vector<Node> const& nodes) {
    auto const rank = [this](NodeNumber number) { return nodes_[number].rank; };
    auto const known = static_cast<std::ptrdiff_t>(in_order_.size());
    for (auto const& node : nodes) {
        if (!node.removed) in_order_.push_back(static_cast<NodeNumber>(nodes_.size()));
        nodes_.push_back(node);
        if (is_member(node)) count(node, 1);
    }
    std::ranges::sort(in_order_.begin() + known, in_order_.end(), {}, rank);
    std::ranges::inplace_merge(in_order_, in_order_.begin() + known, {}, rank);
}

void RolloutTally::count(Node const& node, std::uint64_t by) {
    members_.all += by;
    if (is_away(node)) {
        members_.away += by;
        return;
    }
    switch (node.status) {
        case RolloutStatus::done: members_.done += by; break;
        case RolloutStatus::failed: members_.failed += by; break;
        case RolloutStatus::blocked: members_.blocked += by; break;
        case RolloutStatus::pending: members_.pending += by; break;
    }
}

void RolloutTally::open(std::uint64_t last_rank) {
    if (any_open_ && last_rank == last_rank_) return;
    any_open_ = true;
    last_rank_ = last_rank;
    members_ = {};
    for (auto const& node : nodes_) {
        if (is_member(node)) count(node, 1);
    }
}

void RolloutTally::set_status(NodeNumber number, RolloutStatus status) {
    if (number >= nodes_.size()) return;  // its rank is not worked out yet: its row is read then
    auto& node = nodes_[number];
    constexpr auto minus_one = ~std::uint64_t{0};
    if (is_member(node)) count(node, minus_one);
    node.status = status;
    if (is_member(node)) count(node, 1);
}

void RolloutTally::set_presence(NodeNumber number, Presence presence) {
    if (number >= nodes_.size()) return;
    auto& node = nodes_[number];
    constexpr auto minus_one = ~std::uint64_t{0};
    if (is_member(node)) count(node, minus_one);
    node.presence = presence;
    if (is_member(node)) count(node, 1);
}

void RolloutTally::remove(NodeNumber number) {
    if (number >= nodes_.size() || nodes_[number].removed) return;
    auto& node = nodes_[number];
    constexpr auto minus_one = ~std::uint64_t{0};
    if (is_member(node)) count(node, minus_one);
    node.removed = true;
    std::erase(in_order_, number);
}

std::uint64_t RolloutTally::rank_of_first(std::uint64_t count) const {
    return count == 0 ? 0 : nodes_[in_order_[count - 1]].rank;
}

std::optional<RolloutTally::Next> RolloutTally::next_able(Pending pending) const {
    Next next{0, members_.all - members_.away};
    auto const behind = std::ranges::upper_bound(in_order_, last_rank_, {},
                                                 [this](NodeNumber number) { return nodes_[number].rank; });
    for (auto number = any_open_ ? behind : in_order_.begin(); number != in_order_.end(); ++number) {
        auto const& node = nodes_[*number];
        if (is_away(node)) continue;
        bool const able = node.status != RolloutStatus::blocked &&
                          (node.status != RolloutStatus::pending || pending == Pending::takes_part);
        if (able) return Next{node.rank, next.before};
        ++next.before;
    }
    return std::nullopt;
}

}  // namespace lull::broker
