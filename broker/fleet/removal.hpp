#pragma once

#include <functional>
#include <set>

#include "broker/fleet/fleet_observer.hpp"
#include "broker/fleet/node_facts.hpp"
#include "broker/fleet/sessions.hpp"

namespace lull::broker {

// Takes nodes out of the fleet, on behalf of an operator. From the request on no message of such a node is admitted;
// when that is durable, nothing is kept for it, and its name is free.
class Removal {
public:
    struct Parts {
        Peers& peers;
        LastSeen& last_seen;
        NodeStatusTable& node_status;
        PresenceSweep& presence;
        Sessions& sessions;
        NodeFacts& facts;
    };
    Removal(Parts parts, Effects& effects) : parts_(parts), effects_(effects) {}

    void observe(FleetObserver& observer) { observers_.push_back(&observer); }
    // What others keep for a node by its name: how it is deleted from disk, and forgotten.
    struct Kept {
        std::function<store::Change(NodeName const&)> on_disk;
        std::function<void(NodeName const&)> forget;
    };
    void also(Kept kept) { kept_.push_back(std::move(kept)); }

    // Calls `then` when all of these nodes are removed, durably. If one of them is not enrolled, the session is told
    // which, and none is removed.
    struct Request {
        SessionId session = 0;
        PeerKey by;
        std::vector<NodeName> nodes;
    };
    void remove(Request const& request, Moment now, std::function<void(Moment)> then);

private:
    struct Leaving {
        NodeName name;
        PeerKey key;
    };
    [[nodiscard]] Result<std::vector<Leaving>> find(std::vector<NodeName> const& nodes) const;
    [[nodiscard]] store::Batch leave(std::vector<Leaving> const& nodes, Moment now);
    void forget(Leaving const& node);

    Parts parts_;
    Effects& effects_;
    std::vector<FleetObserver*> observers_;
    std::vector<Kept> kept_;
};

}  // namespace lull::broker
