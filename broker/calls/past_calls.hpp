#pragma once

#include <deque>
#include <optional>
#include <unordered_map>

#include "broker/fleet/node_number.hpp"
#include "schema/call.hpp"

namespace lull::broker {

// What is left of calls that are not in the table: those that were not taken on, the last few of each node, and for
// each node the highest id that was forgotten. Ids of a node rise, so an id that is not above that one is old: its call
// may have run.
class PastCalls {
public:
    // The node was told that this call is refused: it must not run later, should its CALL come again.
    void refuse(PeerKey const& node, CallId const& id, CallReason reason);
    // The table forgets this id.
    void forget(PeerKey const& node, CallId const& id);

    // Why it was refused, if it was.
    [[nodiscard]] std::optional<CallReason> refused(PeerKey const& node, CallId const& id) const;
    [[nodiscard]] bool forgotten(PeerKey const& node, CallId const& id) const;

private:
    struct Past {
        std::deque<std::pair<CallId, CallReason>> refused{};
        std::optional<CallId> highest{};  // of the forgotten ones
    };
    std::unordered_map<PeerKey, Past, PeerKeyHash> nodes_;
};

}  // namespace lull::broker
