#include <algorithm>

#include "subscriber/agent.hpp"

// The switch to a release, its hooks, its trial, and the way back from one that does not work.

namespace lull::subscriber {

// ---- the switch ----

void Agent::pursue_switch(SoftwareName const& software, Moment now) {
    auto& work = work_.at(software);
    // A process that ended right behind the switch has left only the record of it to be made.
    if (active_of(software) == target_of(software)) return start_switch(target_of(software));
    // What was asked before its hooks ran may be answered otherwise now.
    if (auto const gate = closed_gate(software, now)) {
        out_.push_back(LetGo{software});
        return hold_back(software, *gate, now);
    }
    auto const hooks = hooks_of(software, HookTime::before);
    if (work.hooks_run < hooks.size()) return run_hook(software, hooks[work.hooks_run], now);
    start_switch(target_of(software));
}

void Agent::start_switch(ReleaseId const& release) {
    auto& work = work_.at(release.software);
    work.busy = true;
    work.busy_with = target_of(release.software).seq;
    out_.push_back(SwitchCurrent{release});
}

void Agent::on_event(SwitchEnded event, Moment now) {
    auto const software = event.release.software;
    auto& record = state_.software.at(software);
    work_.at(software).busy = false;
    if (event.status) {
        ReleaseRef const now_active{event.release.seq, event.release.version};
        if (record.active && *record.active != now_active) record.previous = record.active;
        record.active = now_active;
        if (auto const scan = state_.scans.find(software); scan != state_.scans.end()) {  // that was about the release before
            scan->second.changed = {};
            scan->second.what.clear();
        }
    }
    if (record.phase == Phase::rolling_back) return way_back_ended(event, now);
    if (!is_target(event.release)) {  // a newer one was announced in this instant
        return save(software, [this, software](Moment then) { pursue(software, then); });
    }
    if (event.status) return switch_ended_well(software, now);
    if (event.status.error().fault != Fault::not_found) return give_up(software, event.status.error(), now);
    if (!move(software, Happening::tree_lost, event.status.error().message, now)) return;
    save(software, [this, software](Moment then) { pursue(software, then); });
}

void Agent::switch_ended_well(SoftwareName const& software, Moment now) {
    auto& record = state_.software.at(software);
    auto const how = activation_of(work_.at(software).info);
    bool const on_trial = how.health.has_value() || (record.ended.value_or(false) && !how.units.empty()) ||
                          !hooks_of(software, HookTime::after).empty();
    work_.at(software).hooks_run = 0;
    if (record.trials) record.trials = 0;  // of the hooks before the switch
    if (how.hooks && !settings_.rules.hooks.contains(software)) {
        say(LogLevel::info, fmt::format("{0}: its hooks do not run, because the owner of this node does not allow them (--allow-hooks {0})", software.text()));
    }
    if (on_trial) {
        if (!move(software, Happening::switched_on_trial, "", now)) return;
        return save(software, [this, software](Moment then) { pursue(software, then); });
    }
    if (!move(software, Happening::switched, "", now)) return;
    record.proven = record.active;
    save(software, [this, software](Moment then) {
        clean_up(software);
        pursue(software, then);
    });
}

// ---- hooks ----

std::vector<Hook> Agent::hooks_of(SoftwareName const& software, HookTime time) const {
    if (!settings_.rules.hooks.contains(software)) return {};
    auto hooks = activation_of(work_.at(software).info).hooks.value_or(std::vector<Hook>());
    std::erase_if(hooks, [time](Hook const& hook) { return hook.time != time; });
    return hooks;
}

// As with trials, each counts before it begins, and until it has ended: whichever of them takes the daemon down each time, and however often
// those before it end well, does so three times. After a crash they run again from the first.
void Agent::run_hook(SoftwareName const& software, Hook const& hook, Moment now) {
    auto& record = state_.software.at(software);
    auto& work = work_.at(software);
    auto const trials = record.trials.value_or(0);
    if (trials >= settings_.most_trials) {
        return hook_failed(software, fail(Fault::failed, "hooks, or the health check, were begun {} times and never ended", trials), now);
    }
    record.trials = trials + 1;
    work.busy = true;
    work.busy_with = target_of(software).seq;
    save(software, [this, target = target_of(software), hook](Moment) { out_.push_back(RunHook{target, hook}); });
}

void Agent::on_event(HookEnded event, Moment now) {
    auto const& software = event.release.software;
    auto& record = state_.software.at(software);
    auto& work = work_.at(software);
    work.busy = false;
    if (!is_target(event.release) || (record.phase != Phase::switching && record.phase != Phase::probation)) {
        out_.push_back(LetGo{software});
        return pursue(software, now);
    }
    if (!event.status) return hook_failed(software, event.status, now);
    record.trials = std::max<std::uint64_t>(1, record.trials.value_or(0)) - 1;
    ++work.hooks_run;
    pursue(software, now);
}

// What did not get ready for the switch is not switched to.
void Agent::hook_failed(SoftwareName const& software, Status const& status, Moment now) {
    auto& record = state_.software.at(software);
    if (record.phase == Phase::probation) return end_trial(software, status, now);
    record.trials = 0;
    out_.push_back(LetGo{software});
    give_up(software, status.error(), now);
}

// ---- the trial ----

// A release that takes the daemon or the machine down with it must not do so for ever: each trial counts before it begins.
void Agent::pursue_trial(SoftwareName const& software, Moment now) {
    auto& record = state_.software.at(software);
    auto& work = work_.at(software);
    if (record.ended.value_or(false)) return start_use(software);
    auto const hooks = hooks_of(software, HookTime::after);
    if (work.hooks_run < hooks.size()) return run_hook(software, hooks[work.hooks_run], now);
    auto const how = activation_of(work.info);
    if (!how.health) return end_trial(software, {}, now);
    auto const trials = record.trials.value_or(0);
    if (trials >= settings_.most_trials) {
        return end_trial(software, fail(Fault::failed, "{} health checks were begun and none came to an end", trials), now);
    }
    record.trials = trials + 1;
    work.busy = true;
    work.busy_with = target_of(software).seq;
    save(software, [this, target = target_of(software), check = *how.health](Moment) { out_.push_back(CheckHealth{target, check}); });
}

void Agent::on_event(HealthFound event, Moment now) {
    auto const& software = event.release.software;
    work_.at(software).busy = false;
    if (!is_target(event.release) || state_.software.at(software).phase != Phase::probation) return pursue(software, now);
    end_trial(software, event.status, now);
}

void Agent::end_trial(SoftwareName const& software, Status const& healthy, Moment now) {
    auto& record = state_.software.at(software);
    if (healthy) {
        if (!move(software, Happening::found_healthy, "", now)) return;
        record.proven = record.active;
        record.failures = 0;
        record.trials = 0;
        return save(software, [this, software](Moment then) {
            clean_up(software);
            pursue(software, then);
        });
    }
    if (!way_back_of(software)) {
        record.trials = 0;  // it is tried again
        return give_up(software, {Fault::failed, healthy.error().message + "; there is no release to go back to"}, now);
    }
    if (!move(software, Happening::found_unhealthy, healthy.error().message, now)) return;
    save(software, [this, software](Moment then) { pursue(software, then); });
}

// The last release that was shown to work here, or at least the one before.
std::optional<ReleaseId> Agent::way_back_of(SoftwareName const& software) const {
    auto const& record = state_.software.at(software);
    auto const& back = record.proven ? record.proven : record.previous;
    if (!back || back->seq == record.entry.seq) return std::nullopt;
    return ReleaseId{software, back->seq, back->version};
}

// Nobody is waited for: who runs what does not work keeps its files, or ends, as the policy says.
void Agent::pursue_way_back(SoftwareName const& software, Moment now) {
    if (active_of(software) == target_of(software)) return probe(software, now);
    switch_back(software, now);  // the last process may have ended in the middle of it
}

void Agent::switch_back(SoftwareName const& software, Moment now) {
    if (auto const back = way_back_of(software)) return start_switch(*back);
    give_up(software, {Fault::failed, "there is no release to go back to"}, now);
}

void Agent::way_back_ended(SwitchEnded const& event, Moment now) {
    auto const software = event.release.software;
    auto& record = state_.software.at(software);
    work_.at(software).asked_to_end = false;
    if (!event.status) return give_up(software, {Fault::failed, fmt::format("{}; and there is no way back: {}", record.why, event.status.error().message)}, now);
    auto why = fmt::format("{} is live again: {}", event.release.version.text(), record.why);
    if (!move(software, Happening::switched, std::move(why), now)) return;
    save(software, [this, software](Moment then) {
        clean_up(software);
        pursue(software, then);
    });
}

}  // namespace lull::subscriber
