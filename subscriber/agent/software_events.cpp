#include "subscriber/agent/software_update.hpp"
#include "subscriber/journal/journal.hpp"

// The events of one software: the part concerned decides about each.

namespace lull::subscriber {

namespace {

// Staged, and not yet live.
bool is_ready(Phase phase, std::optional<WallTime> const& staged) {
    switch (phase) {
        case Phase::staged:
        case Phase::waiting:
        case Phase::awaiting_rollout: return true;
        case Phase::held: return staged.has_value();  // else it was withdrawn before
        default: return false;
    }
}

bool is_cancelled(Status const& status) { return !status && status.error().fault == Fault::cancelled; }

}  // namespace

// ---- acquisition ----

void SoftwareUpdate::on(PlanMade const& event, Moment now) {
    end_running();
    bool const expected = is_target(event.release) && progress_.phase == Phase::announced;
    if (!expected || (!event.plan && event.plan.error().fault == Fault::cancelled)) return reconcile(now);
    apply(work_->acquisition.on(event), now);
}

void SoftwareUpdate::on(StageEnded const& event, Moment now) {
    end_running();
    bool const expected = is_target(event.release) && progress_.phase == Phase::fetching;
    if (!expected || is_cancelled(event.status)) return reconcile(now);
    apply(work_->acquisition.on(event, now), now);
}

bool SoftwareUpdate::on(PatchOffer const& message, Moment now) {
    auto happening = work_->acquisition.on(message, now);
    bool const answers = happening.then == Happening::Then::reconcile;
    apply(std::move(happening), now);
    return answers;
}

void SoftwareUpdate::object_arrived(Moment now) {
    if (progress_.phase == Phase::announced || progress_.phase == Phase::fetching) reconcile(now);
    if (tree_care_.repairing() && shared_.objects.fetcher().has_all(software())) scan(now);
}

void SoftwareUpdate::object_lost(ObjectLoss const& loss, Moment now) {
    if (tree_care_.repairing()) {
        log(LogLevel::error, fmt::format("it cannot be repaired: {}; the node tries again", loss.error.message));
        return tree_care_.end_repair();
    }
    bool const planning = !running_ && (progress_.phase == Phase::announced || progress_.phase == Phase::fetching);
    auto without = planning ? work_->acquisition.go_without(loss) : std::nullopt;
    if (without) return apply(std::move(*without), now);
    give_up(loss.error, now);
}

// ---- activation ----

// A withdrawn release is not fetched any more; one that may not become live now is.
bool SoftwareUpdate::is_pointless(Work work, Moment now) const {
    auto const& activator = work_->activator;
    switch (work) {
        case Work::plan:
        case Work::staging: return activator.withdrawn().has_value();
        case Work::ending_use: return progress_.phase == Phase::waiting && activator.spares_users(now);
        case Work::hook: return progress_.phase == Phase::switching && activator.closed_gate(now);
        default: return false;  // it is over in a moment, or concerns a release that is live already
    }
}

void SoftwareUpdate::rules_changed(Moment now) {
    report_hold(now);
    if (running_) {
        if (is_pointless(running_->work, now)) cancel_running();
        return reconcile(now);  // nothing happens while something runs
    }
    switch (progress_.phase) {
        case Phase::announced:
        case Phase::fetching:
        case Phase::staged:
        case Phase::waiting:
        case Phase::held:
        case Phase::awaiting_rollout:
        case Phase::failed:
        case Phase::rolled_back: return reconcile(now);
        default: return;
    }
}

void SoftwareUpdate::on(UseFound const& event, Moment now) {
    auto const ended = end_running();
    auto& activator = work_->activator;
    if (activator.count_waiting(now)) shared_.effects.persist({journal::put(software(), record())});
    bool const about_target = ended && is_target(ended->release);
    if (about_target && progress_.phase == Phase::rolling_back) {
        if (auto ending = activator.end_for_way_back(event, now)) return apply(std::move(*ending), now);
        return apply(work_->verification.switch_back(), now);
    }
    bool const ready = progress_.phase == Phase::staged || progress_.phase == Phase::waiting;
    if (about_target && ready) return apply(activator.on(event, now), now);
    let_go();
    reconcile(now);
}

void SoftwareUpdate::on(UseMayHaveEnded const&, Moment now) {
    if (progress_.phase == Phase::waiting) reconcile(now);
}

void SoftwareUpdate::on(HoldersTold const& event, Moment now) { apply(work_->activator.on(event), now); }

void SoftwareUpdate::on(UseEnded const& event, Moment now) {
    auto const ended = end_running();
    if (!event.what.empty()) log(LogLevel::info, event.what);
    if (ended && is_target(ended->release)) work_->activator.on(event);
    if (ended && ended->state == Running::State::cancelled) work_->activator.forget_ending();
    reconcile(now);
}

// Also where the switch did not happen: they start again with what is current.
void SoftwareUpdate::start_users() {
    run(Work::starting_use);
    shared_.effects.perform(StartUse{software(), work_->target.how().units});
}

void SoftwareUpdate::on(UseStarted const& event, Moment now) {
    end_running();
    users_ended_ = false;
    if (!event.status) log(LogLevel::error, event.status.error().message);
    if (!event.status && progress_.phase == Phase::verifying) return apply(work_->verification.end(event.status), now);
    save_and_reconcile();
}

// ---- the switch, hooks and the health check ----

void SoftwareUpdate::on(SwitchEnded const& event, Moment now) {
    end_running();
    if (event.status) {
        ReleaseRef const now_active{event.release.seq, event.release.version};
        if (installed_.active && *installed_.active != now_active) installed_.previous = installed_.active;
        if (installed_.active != now_active) room_.reset();
        installed_.active = now_active;
        tree_care_.current_changed();
    }
    if (progress_.phase == Phase::rolling_back) {
        work_->activator.forget_ending();
        return apply(work_->verification.switched_back(event), now);
    }
    if (!is_target(event.release)) return save_and_reconcile();  // a newer one was announced in this instant
    if (!event.status) {
        auto const& error = event.status.error();
        if (error.fault != Fault::not_found) return give_up(error, now);
        return apply(Happening::moved(Transition::tree_lost, error.message), now);
    }
    using Users = Verification::Users;
    apply(work_->verification.switched(users_ended_.value_or(false) ? Users::ended : Users::undisturbed), now);
}

void SoftwareUpdate::on(HookEnded const& event, Moment now) {
    end_running();
    bool const expected = progress_.phase == Phase::switching || progress_.phase == Phase::verifying;
    if (!is_target(event.release) || !expected) {
        let_go();
        return reconcile(now);
    }
    if (is_cancelled(event.status)) {
        work_->verification.uncount_trial();
        return reconcile(now);
    }
    apply(work_->verification.on(event), now);
}

void SoftwareUpdate::on(HealthFound const& event, Moment now) {
    end_running();
    if (!is_target(event.release) || progress_.phase != Phase::verifying) return reconcile(now);
    if (is_cancelled(event.status)) {
        work_->verification.uncount_trial();
        return reconcile(now);
    }
    work_->verification.uncount_trial();
    apply(work_->verification.end(event.status), now);
}

// ---- installed trees ----

TreeCare::Trees SoftwareUpdate::trees() const {
    auto const release_of = [this](std::optional<ReleaseRef> const& ref) {
        return ref ? std::optional(ReleaseId{software(), ref->seq, ref->version}) : std::nullopt;
    };
    TreeCare::Trees trees{release_of(installed_.active), release_of(installed_.previous), std::nullopt, std::nullopt};
    auto const phase = progress_.phase;
    if (is_ready(phase, work_->acquisition.staged())) trees.ready = work_->target.release;
    trees.rests = (phase == Phase::active && target_is_active()) || phase == Phase::rolled_back;
    // A newer release that is ready, or has failed, fetches nothing now, and may stay so for as long as the node lives.
    bool const newer_waits = (trees.ready || phase == Phase::held || phase == Phase::failed) && !target_is_active();
    if (trees.rests || newer_waits) trees.repairs = trees.active;
    trees.switching = phase == Phase::switching || phase == Phase::rolling_back;
    return trees;
}

// Not while something else is done with the trees: the next scan will do.
void SoftwareUpdate::scan(Moment now) {
    if (!running_ && recorded_) tree_care_.scan(trees(), now);
}

void SoftwareUpdate::on(TreesScanned const& event, Moment now) {
    auto const lost = tree_care_.on(event, trees(), now);
    if (lost) tree_is_lost(*lost, now);
    if (event.interrupted || progress_.phase != Phase::active) return;
    clean_up();  // what could not be removed before, or was in use
    if (progress_.why == tree_care_.text()) return;
    progress_.why = tree_care_.text();
    save();
}

// The release is installed again. One that the node had gone back to cannot be, so that the newest gets another try.
// Processes that run from the lost tree go on with the files that they have open.
void SoftwareUpdate::tree_is_lost(TreeFindings const& findings, Moment now) {
    if (running_) return;  // the next scan finds it again
    tree_care_.end_repair();
    if (progress_.phase == Phase::waiting) let_go();
    if (!move(Transition::tree_lost, findings.status ? findings.example : findings.status.error().message, now)) return;
    auto const active = installed_.active;
    installed_.forget({findings.release.seq, findings.release.version});
    // A tree that only lacks some contents is still there, and processes may run from it.
    if (findings.status) installed_.active = active;
    work_->acquisition.forget();
    save_and_reconcile();
}

}  // namespace lull::subscriber
