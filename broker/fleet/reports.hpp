#pragma once

#include "broker/fleet/node_facts.hpp"
#include "broker/fleet/sessions.hpp"
#include "broker/log/release_log.hpp"

namespace lull::broker {

// What nodes report on the software that they have. A report is acknowledged when its row is durable.
class Reports {
public:
    struct Parts {
        ReleaseLog const& log;
        Peers const& peers;
        NodeStatusTable& node_status;
        Sessions const& sessions;
        NodeFacts const& facts;
        Complaints& complaints;
    };
    Reports(Parts parts, Effects& effects) : parts_(parts), effects_(effects) {}

    void observe(FleetObserver& observer) { observers_.push_back(&observer); }

    // What a node has to report again, because the table says something else than its inventory: it was put back to an
    // older copy of itself, or the table was.
    [[nodiscard]] std::vector<ReportWanted> wanted(PeerKey const& node,
                                                   std::vector<InventoryItem> const& inventory) const;

    void take(SessionId session, PeerKey const& node, Report const& message);

private:
    void recorded(SessionId session, PeerKey const& node, Report const& report, Status const& status);

    Parts parts_;
    Effects& effects_;
    std::vector<FleetObserver*> observers_;
};

}  // namespace lull::broker
