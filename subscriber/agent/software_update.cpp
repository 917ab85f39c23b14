#include "subscriber/agent/software_update.hpp"

#include <algorithm>

#include "subscriber/journal/journal.hpp"

namespace lull::subscriber {

namespace {

// Users that were ended for a switch start again: in these phases nothing is switched, or not soon.
bool rests(Phase phase) {
    switch (phase) {
        case Phase::staged:
        case Phase::waiting:
        case Phase::switching:
        case Phase::verifying:
        case Phase::rolling_back: return false;
        default: return true;
    }
}

Target target_of(Announced announced) {
    ReleaseId release{announced.info.software, announced.entry.seq, announced.info.version};
    return {std::move(release), std::move(announced.entry), std::move(announced.info)};
}

SoftwareRecord first_record(Announced const& announced, Moment now) {
    SoftwareRecord record;
    record.entry = announced.entry;
    record.since = now.wall;
    // A journal that was lost must not make the node's reports look older than those of the journal before.
    record.revision = static_cast<std::uint64_t>(std::max<std::int64_t>(0, now.wall.micros));
    return record;
}

}  // namespace

SoftwareUpdate::TargetWork::TargetWork(Shared const& shared, Announced announced, SoftwareUpdate const& owner,
                                       SoftwareRecord const& record)
    : target(target_of(std::move(announced))),
      acquisition(
          {shared.settings, shared.rules, shared.effects, shared.objects, target, owner.progress_, owner.installed_},
          record.staged),
      activator(
          {shared.settings, shared.rules, shared.effects, shared.objects, target, owner.progress_, owner.installed_},
          UserWait{record.holders, record.waited}),
      verification(
          {shared.settings, shared.rules, shared.effects, shared.objects, target, owner.progress_, owner.installed_},
          record.trials) {}

SoftwareUpdate::SoftwareUpdate(Shared const& shared, Announced announced, SoftwareRecord const& record,
                               std::optional<ScanRecord> scan)
    : shared_(shared),
      progress_{record.phase, record.since, record.why, record.failures},
      installed_{record.active, record.previous, record.proven},
      room_(record.room),
      users_ended_(record.ended),
      revision_(record.revision),
      work_(std::make_unique<TargetWork>(shared, std::move(announced), *this, record)),
      tree_care_(shared.settings, software(), shared.effects, shared.objects, std::move(scan)),
      held_(record.held),
      retried_(record.retried) {}

SoftwareUpdate::SoftwareUpdate(Shared const& shared, Announced announced, Moment now)
    : SoftwareUpdate(shared, announced, first_record(announced, now), std::nullopt) {
    recorded_ = false;
    untidy_ = false;
    if (auto hold = shared_.rules.hold_given_here(software(), now.wall)) held_ = std::move(hold->text);
}

void SoftwareUpdate::log(LogLevel level, std::string_view text) const {
    shared_.effects.log(level, fmt::format("{}: {}", software().text(), text));
}

// ---- a new target, and a new start ----

void SoftwareUpdate::found_installed(std::optional<ReleaseRef> const& current) {
    if (installed_.active == current) return;
    if (installed_.active) installed_.previous = installed_.active;
    installed_.active = current;
}

void SoftwareUpdate::start(Moment now) {
    auto& phase = progress_.phase;
    if (phase == Phase::fetching) phase = Phase::announced;  // a plan is made anew from what is here
    bool const should_be_active = phase == Phase::active || phase == Phase::verifying;
    if (should_be_active && !target_is_active()) phase = Phase::announced;  // `current` points elsewhere
    // The lock of the last probe is gone with the process that had it. Where `current` has changed already, only the
    // record of that is left to be made.
    if (phase == Phase::switching && !target_is_active()) phase = Phase::staged;
    report_hold(now);
    // An operator that starts the node anew expects a new attempt. A release that ends the node itself would have one
    // with every start, for ever.
    if (phase == Phase::failed && !work_->verification.is_worn_out()) retry_ = now.point;
    reconcile(now);
    if (phase == Phase::active) clean_up();  // the process before may have ended before that
    hands_over_ = should_hand_over();
}

void SoftwareUpdate::target(Announced announced, Moment now) {
    if (progress_.phase != Phase::active) {
        shared_.effects.log(LogLevel::info,
                            fmt::format("{} {} is superseded by {}", software().text(),
                                        work_->target.release.version.text(), announced.info.version.text()));
    }
    cancel_running();
    // A user that waits for the lock must not wait until the newer release is here.
    bool const holds_lock = progress_.phase == Phase::waiting || progress_.phase == Phase::switching;
    if (holds_lock && (!running_ || running_->work == Work::starting_use)) let_go();
    shared_.objects.fetcher().unwant(software());
    shared_.objects.spare_no_more(software());
    static_cast<void>(shared_.room.end(software()));
    tree_care_.superseded();
    untidy_ = untidy_ || !target_is_active();
    progress_ = {Phase::announced, now.wall, {}, 0};
    work_ = std::make_unique<TargetWork>(shared_, std::move(announced), *this, SoftwareRecord{});
    recorded_ = false;
    retry_.reset();
    retried_.reset();
    fault_ = Fault::failed;
}

void SoftwareUpdate::recorded(Seq seq, Moment now) {
    if (work_->target.release.seq != seq) return;  // superseded meanwhile: that batch is to come
    recorded_ = true;
    shared_.effects.log(LogLevel::info, fmt::format("recorded release {} ({} {}) at {}", seq.value, software().text(),
                                                    work_->target.release.version.text(), precise_text(now.wall)));
    reconcile(now);
}

// ---- the record ----

SoftwareRecord SoftwareUpdate::record() const {
    SoftwareRecord record;
    record.entry = work_->target.entry;
    record.phase = progress_.phase;
    record.since = progress_.since;
    record.why = progress_.why;
    record.holders = work_->activator.wait().holders;
    record.failures = progress_.failures;
    record.active = installed_.active;
    record.previous = installed_.previous;
    record.revision = revision_;
    record.staged = work_->acquisition.staged();
    record.proven = installed_.proven;
    record.ended = users_ended_;
    record.trials = work_->verification.trials();
    record.waited = work_->activator.wait().waited;
    record.retried = retried_;
    record.held = held_;
    record.room = room_;
    return record;
}

std::uint64_t SoftwareUpdate::report(store::Batch& batch) {
    ++revision_;
    auto const written = record();
    Report report{software(),    written.entry.seq, node_state(written.phase), written.revision,
                  written.since, written.why,       written.holders,           std::nullopt};
    if (written.active) {
        report.active = written.active->seq;
        report.active_version = written.active->version;
    }
    report.held = held_;
    if (room_) report.why += (report.why.empty() ? "" : "; ") + *room_;
    batch.push_back(journal::put(software(), written));
    shared_.reports.put(std::move(report), batch);
    return revision_;
}

void SoftwareUpdate::report_again(std::uint64_t revision) {
    bool const on_its_way = revision_ > revision && shared_.reports.reports().contains(software());
    if (on_its_way) return;
    exceed(revision);
    save();
}

void SoftwareUpdate::report_hold(Moment now) {
    auto const hold = shared_.rules.hold_given_here(software(), now.wall);
    held_until_.reset();
    if (hold && hold->until) held_until_ = now.point + std::chrono::microseconds(hold->until->micros - now.wall.micros);
    auto text = hold ? std::optional(hold->text) : std::nullopt;
    if (text == held_) return;
    held_ = std::move(text);
    save();
}

void SoftwareUpdate::save(Effects::Continuation then) {
    store::Batch batch;
    auto const revision = report(batch);
    shared_.effects.persist(std::move(batch), [this, revision, then = std::move(then)](Moment now) {
        shared_.reports.durable(software(), revision);
        then(now);
    });
}

void SoftwareUpdate::save_and_reconcile() {
    save([this](Moment then) { reconcile(then); });
}

bool SoftwareUpdate::on_its_way() const {
    bool const was_given_up_before_start = progress_.phase == Phase::failed && !spared_;
    return progress_.phase == Phase::announced || progress_.phase == Phase::fetching || was_given_up_before_start;
}

// ---- steps ----

std::optional<Running> SoftwareUpdate::end_running() {
    shared_.trials.end(software());
    return std::exchange(running_, std::nullopt);
}

bool SoftwareUpdate::trial_is_admitted() const {
    using Kind = RunningTrials::Kind;
    auto const kind = work_->verification.trials().value_or(0) > 0 ? Kind::repeated : Kind::first;
    return shared_.trials.admits(software(), kind);
}

bool SoftwareUpdate::waits_for_trials() {
    waits_for_trials_ = work_->verification.begins_trial() && !trial_is_admitted();
    return waits_for_trials_;
}

void SoftwareUpdate::run(Work work, Running::State state) {
    running_ = Running{work, work_->target.release, state, ++last_run_};
}

void SoftwareUpdate::cancel_running() {
    if (!running_) return;
    auto const job = cancellable(running_->work);
    if (!job || running_->state == Running::State::cancelled) return;
    if (running_->state == Running::State::recording) {
        if (*job == Job::hook || *job == Job::health_check) work_->verification.uncount_trial();
        if (running_->work == Work::ending_use) work_->activator.forget_ending();  // nobody was asked
        end_running();
        return;
    }
    running_->state = Running::State::cancelled;
    shared_.effects.perform(CancelJob{software(), *job});
}

void SoftwareUpdate::stop() {
    cancel_running();
    tree_care_.cancel_scan();
}

void SoftwareUpdate::reconcile(Moment now) {
    if (running_ || !recorded_) return;
    if (users_ended_.value_or(false) && rests(progress_.phase)) return start_users();
    if (progress_.phase == Phase::announced || progress_.phase == Phase::fetching) {
        if (auto const gate = work_->activator.withdrawn()) return hold_back(*gate, now);
    }
    switch (progress_.phase) {
        case Phase::announced:
            tree_care_.end_repair();  // its wants would be taken for those of the newer release
            return apply(work_->acquisition.plan(), now);
        case Phase::fetching: return apply(work_->acquisition.fetch(now), now);
        case Phase::staged:
        case Phase::waiting:
        case Phase::awaiting_rollout:
        case Phase::held: return reconcile_activation(now);
        case Phase::switching: return reconcile_switch(now);
        case Phase::verifying:
            if (users_ended_.value_or(false)) return start_users();
            if (waits_for_trials()) return;
            return apply(work_->verification.advance(), now);
        case Phase::rolling_back:
            if (target_is_active()) return apply(work_->activator.probe(), now);
            return apply(work_->verification.switch_back(), now);  // a crash came in the middle of it
        case Phase::active: return;
        case Phase::rolled_back: static_cast<void>(retries(now)); return;
        case Phase::failed:
            if (!retries(now)) reconcile_failed(now);
            return;
    }
}

void SoftwareUpdate::reconcile_activation(Moment now) {
    bool const ready = progress_.phase == Phase::staged || progress_.phase == Phase::waiting;
    // Nobody is asked for the lock for a hook that may not run yet.
    if (ready && work_->verification.switch_begins_trial() && !trial_is_admitted()) {
        waits_for_trials_ = true;
        return;
    }
    bool const no_tree = progress_.phase == Phase::held && !work_->acquisition.staged();
    apply(work_->activator.advance(no_tree ? Activator::Tree::absent : Activator::Tree::staged, now), now);
}

// The gates are asked again after each hook: an order may have come meanwhile.
void SoftwareUpdate::reconcile_switch(Moment now) {
    if (!target_is_active()) {
        if (auto const gate = work_->activator.closed_gate(now)) {
            let_go();
            return hold_back(*gate, now);
        }
    }
    if (!waits_for_trials()) return apply(work_->verification.advance_switch(), now);
    // A launch would wait for the lock as long as the hooks and health checks of other software take.
    let_go();
    if (move(Transition::let_through, "waits for the hooks and health checks of other software", now)) save();
}

void SoftwareUpdate::reconcile_failed(Moment now) {
    if (retry_) return;
    auto const& settings = shared_.settings;
    auto const doubled = settings.first_retry * (std::int64_t{1} << std::min<std::uint64_t>(progress_.failures, 16));
    auto const longest = fault_ == Fault::no_space ? settings.longest_without_room : settings.longest_retry;
    retry_ = now.point + std::min(longest, doubled);
}

bool SoftwareUpdate::retries(Moment now) {
    auto const* order = shared_.rules.retried(work_->target.info, work_->target.release.seq);
    if (order == nullptr || retried_ == order->since) return false;
    retried_ = order->since;
    retry_.reset();
    fault_ = Fault::failed;
    if (!move(Transition::try_again, fmt::format("tried again by order of {}", order->by), now)) return false;
    progress_.failures = 0;
    Announced announced{work_->target.entry, work_->target.info};
    work_ = std::make_unique<TargetWork>(shared_, std::move(announced), *this, SoftwareRecord{});
    save_and_reconcile();
    return true;
}

void SoftwareUpdate::apply(Happening happening, Moment now) {
    if (happening.failure) return give_up(*happening.failure, now);
    if (happening.plan_again && progress_.phase == Phase::fetching) progress_.phase = Phase::announced;
    if (happening.start_users && users_ended_.value_or(false)) start_users();
    if (happening.transition && !move(*happening.transition, std::move(happening.why), now)) return;
    if (happening.begun) begin(happening);
    if (!happening.refetch.empty()) {
        return shared_.objects.drop(happening.refetch, [this, release = work_->target.release](Moment then) {
            if (is_target(release)) reconcile(then);
        });
    }
    bool const settled = happening.transition &&
                         (progress_.phase == Phase::active || progress_.phase == Phase::rolled_back);
    switch (happening.then) {
        case Happening::Then::rest: return;
        case Happening::Then::reconcile: return reconcile(now);
        case Happening::Then::save:
            return save([this, action = std::move(happening.when_durable), number = last_run_](Moment) {
                if (!action || !running_ || running_->number != number) return;  // it was cancelled
                running_->state = Running::State::begun;
                shared_.effects.perform(*action);
            });
        case Happening::Then::save_and_reconcile:
            return save([this, settled](Moment then) {
                if (settled) settle();
                reconcile(then);
            });
    }
}

void SoftwareUpdate::begin(Happening const& happening) {
    run(*happening.begun, happening.when_durable ? Running::State::recording : Running::State::begun);
    if (*happening.begun == Work::ending_use) users_ended_ = true;
    if (*happening.begun != Work::hook && *happening.begun != Work::health_check) return;
    using Kind = RunningTrials::Kind;
    shared_.trials.begin(software(), work_->verification.trials().value_or(0) > 1 ? Kind::repeated : Kind::first);
}

// Changes the phase. The caller saves. False: the table does not know this transition from here.
bool SoftwareUpdate::move(Transition transition, std::string why, Moment now) {
    auto const next = next_phase(progress_.phase, transition);
    if (!next) {
        log(LogLevel::error, fmt::format("'{}' cannot happen while {}", to_text(transition), to_text(progress_.phase)));
        return false;
    }
    if (*next != progress_.phase) progress_.since = now.wall;
    progress_.phase = *next;
    progress_.why = std::move(why);
    count(transition);
    shared_.effects.log(LogLevel::info,
                        fmt::format("{} {}: {}{}{}", software().text(), work_->target.release.version.text(),
                                    to_text(*next), progress_.why.empty() ? "" : ": ", progress_.why));
    return true;
}

// An order that was there when the release failed is not one to try it again.
void SoftwareUpdate::obeyed_retry() {
    auto const* order = shared_.rules.retried(work_->target.info, work_->target.release.seq);
    if (order != nullptr) retried_ = order->since;
}

// What else a transition changes.
void SoftwareUpdate::count(Transition transition) {
    auto const phase = progress_.phase;
    if (phase != Phase::waiting) work_->activator.forget_holders();
    if (phase == Phase::switching) work_->verification.begin_switch();
    if (phase == Phase::active) installed_.proven = installed_.active;
    if (phase == Phase::failed || phase == Phase::rolled_back) obeyed_retry();
    if (transition == Transition::tree_staged) static_cast<void>(shared_.room.end(software()));
    if (transition == Transition::found_healthy) progress_.failures = 0;
    if (transition == Transition::try_again && work_->verification.is_worn_out()) work_->verification.try_again();
    // Where a release has been verified before, it is known not to work, and is tried less and less often.
    if (transition == Transition::tree_staged && !work_->verification.trials()) progress_.failures = 0;
}

void SoftwareUpdate::hold_back(ActivationGate const& gate, Moment now) {
    bool const has_no_tree = progress_.phase == Phase::announced || progress_.phase == Phase::fetching;
    if (has_no_tree) {
        work_->acquisition.forget();
        work_->acquisition.forget_tree();
    }
    apply(work_->activator.hold_back(gate, now), now);
}

void SoftwareUpdate::give_up(Error const& error, Moment now) {
    if (makes_room(error)) return;
    auto const in_use = shared_.room.end(software());
    auto why = in_use.empty() ? error.message : fmt::format("{}; {}", error.message, in_use);
    if (!move(Transition::given_up, std::move(why), now)) return;
    ++progress_.failures;
    fault_ = error.fault;
    retry_.reset();
    shared_.objects.spare(software());
    spared_ = true;
    work_->acquisition.forget();
    cancel_running();  // a plan, or staging, for which an object was lost
    save_and_reconcile();
}

void SoftwareUpdate::settle() {
    clean_up();
    hands_over_ = should_hand_over();
}

// Whether this daemon runs from another release of the software than the one that is active for good.
bool SoftwareUpdate::should_hand_over() const {
    auto const& own = shared_.settings.own_program;
    if (!own || own->release.software != software() || !installed_.active) return false;
    if (progress_.phase != Phase::active && progress_.phase != Phase::rolled_back) return false;
    return *installed_.active != ReleaseRef{own->release.seq, own->release.version};
}

void SoftwareUpdate::hand_over() {
    if (std::exchange(hands_over_, false) && should_hand_over())
        shared_.effects.perform(HandOver{{software(), installed_.active->seq, installed_.active->version}});
}

std::vector<ReleaseId> SoftwareUpdate::kept() const {
    std::vector<ReleaseId> keep;
    for (auto const& kept : {installed_.active, installed_.previous, installed_.proven}) {
        if (!kept) continue;
        ReleaseId release{software(), kept->seq, kept->version};
        if (std::ranges::find(keep, release) == keep.end()) keep.push_back(std::move(release));
    }
    if (!target_is_active()) keep.push_back(work_->target.release);  // it may be staged by now
    return keep;
}

void SoftwareUpdate::clean_up() {
    shared_.effects.perform(RemoveVersions{software(), kept()});
    untidy_ = false;
    shared_.objects.spare_no_more(software());
    shared_.objects.collect_garbage();
}

// ---- time ----

void SoftwareUpdate::on_time(Moment now) {
    if (held_until_ && now.point >= *held_until_) report_hold(now);
    if (retry_ && now.point >= *retry_) {
        retry_.reset();
        if (progress_.phase == Phase::failed && move(Transition::try_again, progress_.why, now)) reconcile(now);
    }
    if (std::exchange(waits_for_trials_, false)) reconcile(now);
    if (work_->acquisition.end_waiting(now)) reconcile(now);
    if (work_->activator.check_due(now)) reconcile(now);
    if (work_->activator.count_due(now) && work_->activator.count_waiting(now))
        shared_.effects.persist({journal::put(software(), record())});
}

std::optional<TimePoint> SoftwareUpdate::wake() const {
    std::optional<TimePoint> when = retry_;
    for (auto const& due : {work_->acquisition.wake(), work_->activator.wake(), held_until_}) {
        if (due && (!when || *due < *when)) when = due;
    }
    return when;
}

}  // namespace lull::subscriber
