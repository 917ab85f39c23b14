#pragma once

#include "broker/model/session_observer.hpp"
#include "broker/rollout/rollouts.hpp"

namespace lull::broker {

// How far releases are in the fleet, for those who follow them: publishers and operators that wait.
class Followers final : public SessionObserver, public FleetObserver {
public:
    struct Parts {
        ReleaseLog const& log;
        Peers const& peers;
        NodeStatusTable const& node_status;
        PresenceSweep const& presence;
        Rollouts const& rollouts;
        OrderBook const& orders;
    };
    Followers(Parts parts, Effects& effects) : parts_(parts), effects_(effects) {}

    void follow(SessionId session, Follow const& message, WallTime now);
    // Something has changed about a software: its followers are told at once if they see it.
    void look(SoftwareName const& software, WallTime now);
    // Something has changed that may concern all: they are looked at with the next tick.
    void look_soon(TimePoint now) { next_look_ = now; }
    void tick(Moment now);

    void reported(SoftwareName const& software, NodeNumber node, NodeReport const& report) override;
    void presence_changed(NodeNumber, Presence) override {}
    void removed(NodeNumber) override { next_look_ = {}; }
    void session_ended(SessionId session, Moment) override { followers_.erase(session); }
    [[nodiscard]] std::size_t kept_sessions() const override { return followers_.size(); }

    // Nodes are counted by the states that they reported. Costs the number of releases that are in the field.
    [[nodiscard]] ReleaseProgress progress(Release const& release, WallTime now) const;

private:
    void tell(SessionId session, ReleaseProgress& told, WallTime now);

    Parts parts_;
    Effects& effects_;
    std::map<SessionId, ReleaseProgress> followers_;  // and what they were told last
    std::set<SoftwareName> changed_;                  // since the last look
    TimePoint next_look_{};
};

}  // namespace lull::broker
