#pragma once

#include <memory>

#include "subscriber/agent/acquisition.hpp"
#include "subscriber/agent/activator.hpp"
#include "subscriber/agent/log_follower.hpp"
#include "subscriber/agent/report_outbox.hpp"
#include "subscriber/agent/room_maker.hpp"
#include "subscriber/agent/running_trials.hpp"
#include "subscriber/agent/tree_care.hpp"
#include "subscriber/agent/verification.hpp"

namespace lull::subscriber {

// One software on this node: its newest release on the way to be live, and what is installed. Owns the durable record;
// its parts report what has happened, and this class makes the next phase of it.
class SoftwareUpdate {
public:
    // What every software shares.
    struct Shared {
        AgentSettings const& settings;
        ActivationRules const& rules;
        Effects& effects;
        ReportOutbox& reports;
        ObjectTransfer& objects;
        RunningTrials& trials;
        RoomMaker& room;
    };

    // A software that is announced for the first time, or one that the journal knows.
    SoftwareUpdate(Shared const& shared, Announced announced, Moment now);
    SoftwareUpdate(Shared const& shared, Announced announced, SoftwareRecord const& record,
                   std::optional<ScanRecord> scan);

    SoftwareUpdate(SoftwareUpdate const&) = delete;
    SoftwareUpdate& operator=(SoftwareUpdate const&) = delete;

    // `current` on the disk outranks what the journal remembers.
    void found_installed(std::optional<ReleaseRef> const& current);
    // After a start, also after a crash: the release goes on from the phase that the journal has.
    void start(Moment now);

    // A newer release takes the place of the target. Its state begins anew, whatever became of the one before.
    void target(Announced announced, Moment now);
    // The record as it is goes into the batch, with a report. The revision is for durable().
    [[nodiscard]] std::uint64_t report(store::Batch& batch);
    // The broker's table has this revision: reports have higher ones from now on.
    void exceed(std::uint64_t revision) { revision_ = std::max(revision_, revision); }
    // The broker's table says something else than this node, in a row of this revision: reports again, unless a report
    // that it will take is on its way already.
    void report_again(std::uint64_t revision);
    // The announcement of this release is durable: it may be fetched.
    void recorded(Seq seq, Moment now);

    // ---- events ----

    void on(PlanMade const& event, Moment now);
    void on(StageEnded const& event, Moment now);
    void on(UseFound const& event, Moment now);
    void on(UseMayHaveEnded const& event, Moment now);
    void on(HoldersTold const& event, Moment now);
    void on(UseEnded const& event, Moment now);
    void on(UseStarted const& event, Moment now);
    void on(SwitchEnded const& event, Moment now);
    void on(HookEnded const& event, Moment now);
    void on(HealthFound const& event, Moment now);
    void on(TreesScanned const& event, Moment now);
    // Whether it answers what was asked.
    [[nodiscard]] bool on(PatchOffer const& message, Moment now);
    void object_arrived(Moment now);
    void object_lost(ObjectLoss const& loss, Moment now);
    void room_made(Moment now);
    // Holds or orders have changed. What runs and has become pointless is cancelled.
    void rules_changed(Moment now);
    // The node stops: what runs is cancelled. A hook or a health check that is cut short still counts as a trial: one
    // that restarts the machine ends the node in just this way, and must not do so for ever.
    void stop();

    // Whether the daemon is to become the active release of this software: what it runs from is another one.
    [[nodiscard]] bool hands_over() const { return hands_over_; }
    void hand_over();

    // ---- time and the session ----

    void on_time(Moment now);
    void scan(Moment now);
    [[nodiscard]] std::optional<TimePoint> wake() const;
    [[nodiscard]] Acquisition& acquisition() { return work_->acquisition; }
    [[nodiscard]] Acquisition const& acquisition() const { return work_->acquisition; }

    // ---- what others know of it ----

    [[nodiscard]] Target const& target() const { return work_->target; }
    [[nodiscard]] Phase phase() const { return progress_.phase; }
    [[nodiscard]] Installed const& installed() const { return installed_; }
    [[nodiscard]] SoftwareRecord record() const;
    [[nodiscard]] std::optional<ScanRecord> const& scan_record() const { return tree_care_.record(); }
    // Objects that no release wants now may be wanted by this one soon.
    [[nodiscard]] bool on_its_way() const;
    [[nodiscard]] bool lacks_room() const { return running_ && running_->work == Work::making_room; }

    // ---- room for other releases ----

    // Versions that this software can do without now.
    [[nodiscard]] std::vector<Expendable> expendable() const;
    // Versions that a clean-up leaves.
    [[nodiscard]] std::vector<ReleaseId> kept() const;
    // This version is to be deleted. `then` runs when the record is durable without it.
    void give_up_version(ReleaseId const& version, Effects::Continuation then);
    void version_settled(ReleaseId const& version, RoomMaker::Fate fate, ReleaseId const& needed_by);

private:
    // The state of one target.
    struct TargetWork {
        TargetWork(Shared const& shared, Announced announced, SoftwareUpdate const& owner,
                   SoftwareRecord const& record);
        Target const target;
        Acquisition acquisition;
        Activator activator;
        Verification verification;
    };

    [[nodiscard]] SoftwareName const& software() const { return work_->target.release.software; }
    [[nodiscard]] bool is_target(ReleaseId const& release) const { return release == work_->target.release; }
    [[nodiscard]] bool target_is_active() const { return installed_.active == work_->target.ref(); }
    [[nodiscard]] TreeCare::Trees trees() const;
    void log(LogLevel level, std::string_view text) const;

    // What ran has ended.
    std::optional<Running> end_running();
    void run(Work work, Running::State state = Running::State::begun);
    [[nodiscard]] bool is_pointless(Work work, Moment now) const;
    // Stops what runs. Its end is still to come, unless it has not begun: then it never does.
    void cancel_running();
    void let_go() { shared_.effects.perform(LetGo{software()}); }

    // Does the next thing that can be done for the target.
    void reconcile(Moment now);
    void reconcile_activation(Moment now);
    void reconcile_switch(Moment now);
    void reconcile_failed(Moment now);
    // Begins the target anew if an operator has ordered so since it failed or was rolled back.
    [[nodiscard]] bool retries(Moment now);
    void obeyed_retry();
    // True: the hook or the health check that is next may not begin now. It is asked again after each event.
    [[nodiscard]] bool waits_for_trials();
    [[nodiscard]] bool trial_is_admitted() const;
    void apply(Happening happening, Moment now);
    void begin(Happening const& happening);
    [[nodiscard]] bool move(Transition transition, std::string why, Moment now);
    void count(Transition transition);
    void hold_back(ActivationGate const& gate, Moment now);
    void give_up(Error const& error, Moment now);
    // True: the disk is full, and something is given up so that the release is tried again at once.
    [[nodiscard]] bool makes_room(Error const& error);
    // Reports again if another hold counts than the last report named, or none.
    void report_hold(Moment now);
    void start_users();
    void tree_is_lost(TreeFindings const& findings, Moment now);
    // The target has come to rest and is recorded: what it leaves behind.
    void settle();
    void clean_up();
    [[nodiscard]] bool should_hand_over() const;
    void save(Effects::Continuation then = [](Moment) {});
    void save_and_reconcile();

    Shared shared_;
    Progress progress_;
    Installed installed_;
    std::optional<std::string> room_;            // why fewer versions are kept than usual
    std::optional<Installed> before_giving_up_;  // while a version is being deleted
    bool untidy_ = true;                         // versions that nobody needs may be here
    std::optional<bool> users_ended_;            // for a switch, and not yet started again
    std::uint64_t revision_ = 0;                 // of the last report; never falls
    std::unique_ptr<TargetWork> work_;
    TreeCare tree_care_;
    bool recorded_ = true;  // the announcement of the target is durable
    std::optional<Running> running_;
    std::uint64_t last_run_ = 0;
    bool waits_for_trials_ = false;        // of other software
    std::optional<std::string> held_;      // by a hold that was given on this node: as the last report says
    std::optional<TimePoint> held_until_;  // when that ends by itself
    bool hands_over_ = false;              // to another release of lull-node, as soon as no switch would be cut short
    bool spared_ = false;                  // the objects that a release wanted when it failed, since the start
    std::optional<TimePoint> retry_;
    std::optional<WallTime> retried_;  // the last order to try the target again that was obeyed, by its time
    Fault fault_ = Fault::failed;      // of the last failure
};

}  // namespace lull::subscriber
