#include "broker/calls/past_calls.hpp"

#include <algorithm>

namespace lull::broker {

namespace {

constexpr std::size_t most_refused = 16;  // of a node

}  // namespace

void PastCalls::refuse(PeerKey const& node, CallId const& id, CallReason reason) {
    auto& refused = nodes_[node].refused;
    refused.emplace_back(id, reason);
    if (refused.size() <= most_refused) return;
    forget(node, refused.front().first);
    refused.pop_front();
}

void PastCalls::forget(PeerKey const& node, CallId const& id) {
    auto& highest = nodes_[node].highest;
    highest = std::max(highest.value_or(id), id);
}

std::optional<CallReason> PastCalls::refused(PeerKey const& node, CallId const& id) const {
    auto const past = nodes_.find(node);
    if (past == nodes_.end()) return std::nullopt;
    auto const& refused = past->second.refused;
    auto const found = std::ranges::find(refused, id, &std::pair<CallId, CallReason>::first);
    if (found == refused.end()) return std::nullopt;
    return found->second;
}

bool PastCalls::forgotten(PeerKey const& node, CallId const& id) const {
    auto const past = nodes_.find(node);
    return past != nodes_.end() && past->second.highest && id <= *past->second.highest;
}

}  // namespace lull::broker
