#pragma once

#include <functional>
#include <vector>

#include "broker/fleet/fleet_observer.hpp"
#include "broker/fleet/last_seen.hpp"
#include "broker/fleet/node_status_table.hpp"
#include "broker/fleet/peers.hpp"

namespace lull::broker {

// Which nodes are away: not connected, and not heard of for so long that a rollout does not wait for them. A node is
// present until a sweep finds otherwise; each tick looks at a fifteenth of the nodes.
class PresenceSweep {
public:
    PresenceSweep(Peers const& peers, LastSeen const& last_seen, NodeStatusTable& node_status, Duration away)
        : peers_(peers),
          last_seen_(last_seen),
          node_status_(node_status),
          away_(away) {}

    void observe(FleetObserver& observer) { observers_.push_back(&observer); }

    // A message of this node has come.
    void heard(PeerKey const& node);
    // The node counts no more.
    void forget(NodeNumber node);
    // Looks at the next nodes. `connected`: whether a node has a session.
    void sweep(std::function<bool(PeerKey const&)> const& connected, WallTime now);

    [[nodiscard]] Presence of(NodeNumber node) const { return node < nodes_.size() ? nodes_[node] : Presence::present; }
    [[nodiscard]] std::size_t away() const { return away_count_; }

private:
    void set(NodeNumber node, Presence presence);

    Peers const& peers_;
    LastSeen const& last_seen_;
    NodeStatusTable& node_status_;
    Duration away_;
    std::vector<FleetObserver*> observers_;
    std::vector<Presence> nodes_;
    std::size_t away_count_ = 0;
    NodeNumber next_ = 0;
};

}  // namespace lull::broker
