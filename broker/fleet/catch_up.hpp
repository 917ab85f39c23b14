#pragma once

#include <deque>

#include "broker/fleet/node_status_table.hpp"
#include "broker/fleet/sessions.hpp"
#include "broker/log/log_changes.hpp"

namespace lull::broker {

// Nodes that lack entries of the log: pages of it, what is announced to them again, and what they know that the log has
// lost.
class CatchUp final : public SessionObserver {
public:
    struct Parts {
        ReleaseLog const& log;
        LogChanges& changes;
        Peers const& peers;
        NodeStatusTable const& node_status;
        Complaints& complaints;
    };
    // `life` of this broker, for calls.
    CatchUp(Parts parts, std::uint64_t life, Effects& effects) : parts_(parts), life_(life), effects_(effects) {}

    // Makes room for so many sessions at once.
    void reserve(std::size_t sessions) { due_.reserve(sessions); }

    // HELLO: tells the head of the log, and what the node has to know besides. Ten seconds later, what the node has
    // heard of and has not reported on is announced again, to this node alone.
    struct Besides {
        std::vector<ReportWanted> wanted{};
        std::optional<std::string> note{};
    };
    void welcome(SessionId session, PeerKey const& node, Hello const& message, Besides besides, Moment now);
    void page(SessionId session, Sync const& message);
    // A node shows an entry that this log lacks. Only what a publisher signed counts, and only if it is later than all
    // that is here: a node must not be able to disturb the others.
    void witness(PeerKey const& node, Witness const& message, WallTime now);
    // Announces again what is due; a bounded number of releases a tick.
    void reannounce(TimePoint now);

    void session_ended(SessionId session, Moment now) override;
    [[nodiscard]] std::size_t kept_sessions() const override { return due_.size(); }

private:
    struct Due {
        TimePoint when;
        PeerKey node;
        Seq cursor;  // of this log, that the node came with
    };
    [[nodiscard]] std::size_t reannounce(SessionId session, Due const& due);

    Parts parts_;
    std::uint64_t life_;
    Effects& effects_;
    std::unordered_map<SessionId, Due> due_;
    std::deque<SessionId> in_order_;  // of `due_`; sessions that have ended are left out when their time comes
};

}  // namespace lull::broker
