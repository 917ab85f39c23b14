#pragma once

#include "subscriber/agent/call_ports.hpp"
#include "subscriber/agent/log_follower.hpp"
#include "subscriber/agent/object_transfer.hpp"
#include "subscriber/agent/order_inbox.hpp"
#include "subscriber/agent/report_outbox.hpp"
#include "subscriber/agent/software_update.hpp"

namespace lull::subscriber {

// The decision code of a node, free of I/O: events come in, actions go out. A router: each event is for one owner of
// state, and none of them sees the state of another. What the node has acknowledged or announced is durable first: what
// depends on a batch happens only after BatchDone.
class Agent {
public:
    // `installed`: what `current` points to, on disk, now. It outranks what the journal remembers.
    Agent(AgentSettings settings, JournalState state, std::map<SoftwareName, ReleaseId> const& installed,
          Holds holds = {});
    Agent(Agent const&) = delete;
    Agent& operator=(Agent const&) = delete;

    // A tree of calls that an earlier process has left. Before start().
    void found_call_tree(ReleaseId const& release, Bytes size);
    // What to do first, also after a crash: every release goes on from the phase that the journal has.
    [[nodiscard]] Actions start(Moment now);
    [[nodiscard]] Actions on(Event const& event, Moment now);

    // The node stops: whatever runs is cancelled, and nothing is decided after that.
    [[nodiscard]] Actions stop();

    // When the agent wants a Tick.
    [[nodiscard]] std::optional<TimePoint> wake() const;

    // What the journal would hold if all batches were durable.
    [[nodiscard]] JournalState state() const;
    using Updates = std::map<SoftwareName, SoftwareUpdate>;
    [[nodiscard]] Updates const& updates() const { return updates_; }
    [[nodiscard]] ReportOutbox const& reports() const { return reports_; }
    [[nodiscard]] Fetcher const& fetcher() const { return objects_.fetcher(); }
    [[nodiscard]] Link const& link() const { return session_.link(); }

private:
    friend struct Dispatch;

    void on_event(AnnouncementHeard const& event, Moment now);
    void on_event(ExchangeReady const& event, Moment now);
    void on_event(ExchangeLost const& event, Moment now);
    void on_event(MessageHeard const& event, Moment now);
    void on_event(BatchDone const& event, Moment now);
    void on_event(ObjectSynced const& event, Moment now);
    void on_event(ObjectFinished const& event, Moment now);
    void on_event(ObjectUnwritten const& event, Moment now);
    void on_event(PlanMade const& event, Moment now);
    void on_event(StageEnded const& event, Moment now);
    void on_event(UseFound const& event, Moment now);
    void on_event(UseMayHaveEnded const& event, Moment now);
    void on_event(HoldersTold const& event, Moment now);
    void on_event(UseEnded const& event, Moment now);
    void on_event(UseStarted const& event, Moment now);
    void on_event(HealthFound const& event, Moment now);
    void on_event(HookEnded const& event, Moment now);
    void on_event(HoldsRead const& event, Moment now);
    void on_event(SwitchEnded const& event, Moment now);
    void on_event(RoomMade const& event, Moment now);
    void on_event(TreesScanned const& event, Moment now);
    void on_event(CallHappened const& event, Moment now);
    void on_event(Tick const& event, Moment now);

    void on_announced(Update const& message, Moment now);
    void on_announced(Head const& message, Moment now);
    void on_announced(Orders const& message, Moment now);

    void on_message(Update const& message, Arrival const& arrival, Moment now);
    void on_message(Head const& message, Arrival const& arrival, Moment now);
    void on_message(Welcome const& message, Arrival const& arrival, Moment now);
    void on_message(Busy const& message, Arrival const& arrival, Moment now);
    void on_message(Refused const& message, Arrival const& arrival, Moment now);
    void on_message(LogPage const& message, Arrival const& arrival, Moment now);
    void on_message(Snapshot const& message, Arrival const& arrival, Moment now);
    void on_message(Queued const& message, Arrival const& arrival, Moment now);
    void on_message(Data const& message, Arrival const& arrival, Moment now);
    void on_message(ObjectMissing const& message, Arrival const& arrival, Moment now);
    void on_message(PatchOffer const& message, Arrival const& arrival, Moment now);
    void on_message(Grant const& message, Arrival const& arrival, Moment now);
    void on_message(ReportAck const& message, Arrival const& arrival, Moment now);
    void on_message(Orders const& message, Arrival const& arrival, Moment now);
    void on_message(Ping const& message, Arrival const& arrival, Moment now);
    void on_message(Pong const& message, Arrival const& arrival, Moment now);
    void on_message(CallOffer const& message, Arrival const& arrival, Moment now);
    void on_message(CallGo const& message, Arrival const& arrival, Moment now);
    void on_message(CallState const& message, Arrival const& arrival, Moment now);
    void on_message(CallData const& message, Arrival const& arrival, Moment now);
    void on_message(CallCredit const& message, Arrival const& arrival, Moment now);
    void on_message(CallCancel const& message, Arrival const& arrival, Moment now);

    [[nodiscard]] SoftwareUpdate& update(SoftwareName const& software) { return updates_.at(software); }
    [[nodiscard]] SoftwareUpdate::Shared shared() {
        return {settings_, rules_, effects_, reports_, objects_, trials_, room_};
    }
    [[nodiscard]] RoomMaker::Ports room_ports();
    [[nodiscard]] std::vector<Digest> unwanted_objects(RoomNeed const& need, RoomMaker::Spared spared) const;
    [[nodiscard]] KnownReleases known() const;
    void load(JournalState state, std::map<SoftwareName, ReleaseId> const& installed);
    // Makes durable what the log has brought.
    void record(LogFollower::Outcome outcome, Moment now);
    void take(Announced announced, Moment now);
    void recorded(std::map<SoftwareName, std::uint64_t> const& revisions, std::map<SoftwareName, Seq> const& fresh,
                  Moment now);
    void rules_changed(OrderScope const& about, Moment now);

    void end_turn(Moment now);
    void hand_over();
    void speak(Moment now);
    [[nodiscard]] Link::Need need() const;
    [[nodiscard]] Session::Answer answer() const;
    [[nodiscard]] Hello hello(WallTime now) const;
    [[nodiscard]] std::vector<InventoryItem> inventory() const;
    void report_wanted(std::vector<ReportWanted> const& wanted);

    AgentSettings settings_;
    Effects effects_;
    ActivationRules rules_;
    Session session_;
    ReportOutbox reports_;
    ObjectTransfer objects_;
    RunningTrials trials_;
    RoomMaker room_;
    LogFollower log_;
    OrderInbox orders_;
    Updates updates_;
    std::map<SoftwareName, std::uint64_t> reported_before_;  // what the broker's table has of software that is not here
    ScanSchedule scans_;
    CallPorts call_ports_;
    std::optional<Executor> executor_;
    std::string note_;      // of the last WELCOME
    bool serving_ = false;  // the executor has a session
    bool stopped_ = false;
};

}  // namespace lull::subscriber
