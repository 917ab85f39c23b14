#pragma once

#include <limits>

#include "broker/calls/calls.hpp"
#include "broker/delivery/delivery.hpp"
#include "broker/fleet/catch_up.hpp"
#include "broker/fleet/enrolment.hpp"
#include "broker/fleet/removal.hpp"
#include "broker/fleet/reports.hpp"
#include "broker/queries/queries.hpp"
#include "broker/rollout/followers.hpp"
#include "broker/upkeep/upkeep.hpp"

namespace lull::broker {

struct BrokerSettings {
    Duration beacon = std::chrono::seconds(15);    // how often HEAD is announced
    Duration silence = std::chrono::seconds(180);  // a session that is silent for so long is ended
    std::size_t keep = 10;              // releases of each software that stay in the log, besides those in the field
    std::uint64_t catch_up_rate = 500;  // nodes a second that may ask for the log after a beacon; sets `spread`
    Bytes patch_space = GiB(4);         // of stored patches and their deltas; 0: none are made
    Duration scrub = std::chrono::hours(30 * 24);    // how often each object is read and checked; 0: never
    Duration patch_wait = std::chrono::seconds(30);  // for a smaller patch when a quick one is there, at normal urgency
    Duration away = std::chrono::minutes(45);  // a node that is silent for so long is away: rollouts do not wait for it
    Duration rollout_patience = std::chrono::hours(1);  // for the nodes of a stage that come to no end
    SenderLimits sender{};
    GovernorSettings governor{};
    UploadLimits offers{};
    CallSettings calls{};
    bool operator==(BrokerSettings const&) const = default;
};

// The broker's decision code, free of I/O: it is told events and gives actions. This class only routes: each event goes
// to the hearts that it concerns, and each heart has its own state. State on disk is never behind what was
// acknowledged: what depends on a batch happens only after BatchDone.
class Broker final : private LogObserver {
public:
    // The index outlives the broker.
    Broker(BrokerState state, ObjectIndex const& index, BrokerSettings const& settings);
    Broker(Broker const&) = delete;
    Broker& operator=(Broker const&) = delete;

    // Looks at all nodes and makes room for their sessions, so that no event has to: before peers are served.
    void start(WallTime now);
    [[nodiscard]] Actions on(Event event, Moment now);

    // When it wants a TurnDue, if nothing happens before.
    [[nodiscard]] std::optional<TimePoint> wake() const { return wake_; }

    // What a new subscriber is sent before anything else.
    [[nodiscard]] Head head(WallTime now) const { return beacon_.head(now); }
    [[nodiscard]] BrokerState const& state() const { return state_; }
    // What has changed in memory since it was saved last, for a last batch when the broker stops.
    [[nodiscard]] store::Batch take_unsaved() {
        return state_.last_seen.take_changes(std::numeric_limits<std::size_t>::max());
    }

    // The row of the table software x node as an operator sees it.
    [[nodiscard]] StatusRow status_row(Release const& newest, PeerKey const& node, Moment now) const {
        return queries_.status_row(newest, node, now);
    }
    [[nodiscard]] CallTable const& calls() const { return calls_.table(); }
    [[nodiscard]] bool connected(PeerKey const& node) const { return sessions_.connected(node); }
    // Entries that all hearts keep for sessions.
    [[nodiscard]] std::size_t session_entries() const { return sessions_.kept(); }

private:
    void message(MessageArrived event, Moment now);
    void hello(SessionId session, PeerKey const& node, Hello const& message, Moment now);
    void admin(OrderRequest request, Moment now);
    [[nodiscard]] std::optional<Ed25519Public> signer_of(PeerKey const& peer) const;
    void tick(Moment now);
    void sweep(WallTime now);

    void released(Release const& release, Moment now) override;
    void renewed(Moment now) override { beacon_.announce(now.wall); }
    void log_is_free(Moment now) override { publishing_.take_waiting(now); }

    BrokerState state_;
    Effects effects_;
    Complaints complaints_;
    NodeFacts facts_;
    PresenceSweep presence_;
    Sessions sessions_;
    LogChanges log_changes_;
    CatchUp catch_up_;
    Reports reports_;
    Enrolment enrolment_;
    Removal removal_;
    LostObjects lost_;
    Publishing publishing_;
    Beacon beacon_;
    Ordering ordering_;
    Rollouts rollouts_;
    Followers followers_;
    PatchPlanner patches_;
    Delivery delivery_;
    Calls calls_;
    Upkeep upkeep_;
    Queries queries_;
    std::optional<TimePoint> wake_;
    TimePoint next_minute_{};
};

}  // namespace lull::broker
