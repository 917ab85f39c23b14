#pragma once

#include "broker/fleet/node_number.hpp"
#include "broker/fleet/status_counters.hpp"

namespace lull::broker {

// Is told what changes in the fleet, one node at a time.
class FleetObserver {
public:
    virtual ~FleetObserver() = default;
    // What a node reported is durable.
    virtual void reported(SoftwareName const& software, NodeNumber node, NodeReport const& report) = 0;
    virtual void presence_changed(NodeNumber node, Presence presence) = 0;
    // The node counts no more.
    virtual void removed(NodeNumber node) = 0;
};

}  // namespace lull::broker
