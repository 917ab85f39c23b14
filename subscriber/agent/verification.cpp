#include "subscriber/agent/verification.hpp"

#include <algorithm>

namespace lull::subscriber {

namespace {

constexpr std::uint64_t check_time = 60;  // seconds that a new lull-node may take to find out whether it works here

// What looks whether a new release of the program that this daemon is can take its place. Nothing: the target is
// another software, or the release that runs.
std::optional<RunHook> check_of(std::optional<OwnProgram> const& own, ReleaseId const& target) {
    if (!own || own->release.software != target.software || own->release == target) return std::nullopt;
    return RunHook{target, Hook{HookTime::before, own->program, own->check, check_time}, true};
}

}  // namespace

Verification::Verification(Surroundings around, std::optional<std::uint64_t> trials)
    : around_(around),
      hooks_allowed_(around.settings.rules.hooks.contains(around.software())),
      trials_(trials) {
    // A daemon that reaches no broker could not be replaced from there again: the owner is not asked about this one.
    if (auto check = check_of(around_.settings.own_program, around_.target.release))
        before_.push_back(*std::move(check));
    auto const& hooks = around_.target.how().hooks;
    if (!hooks || !hooks_allowed_) return;
    for (auto const& hook : *hooks)
        (hook.time == HookTime::before ? before_ : after_).push_back({around_.target.release, hook});
}

// ---- the switch ----

Happening Verification::advance_switch() {
    // Of a switch that a crash followed, only the record is left to be made.
    if (around_.target_is_active()) return switch_to(around_.target.release);
    if (hooks_run_ < before_.size()) return run_hook(before_[hooks_run_]);
    return switch_to(around_.target.release);
}

Happening Verification::switch_to(ReleaseId release) const {
    around_.effects.perform(SwitchCurrent{std::move(release)});
    return Happening::began(Work::switching);
}

Happening Verification::switched(Users users) {
    auto const& how = around_.target.how();
    bool const starts_units = users == Users::ended && !how.units.empty();
    hooks_run_ = 0;
    if (trials_) trials_ = 0;  // of the hooks before the switch
    if (how.hooks && !hooks_allowed_) {
        around_.effects.log(LogLevel::info,
                            fmt::format("{0}: its hooks do not run, because the owner of this node does not allow them "
                                        "(--allow-hooks {0})",
                                        around_.software().text()));
    }
    bool const verifies = how.health.has_value() || starts_units || !after_.empty();
    return Happening::moved(verifies ? Transition::switched_unverified : Transition::switched);
}

bool Verification::begins_trial() const {
    if (around_.progress.phase == Phase::switching) return !around_.target_is_active() && hooks_run_ < before_.size();
    return hooks_run_ < after_.size() || around_.target.how().health.has_value();
}

// ---- hooks ----

// A release that ends the daemon or the machine must not do so for ever: each hook and each health check counts from
// before its begin until its end. After a crash hooks run again from the first.
bool Verification::begin_trial() {
    if (is_worn_out()) return false;
    trials_ = trials_.value_or(0) + 1;
    return true;
}

Happening Verification::run_hook(RunHook hook) {
    if (!begin_trial()) {
        return hook_failed(
            {Fault::failed,
             fmt::format("hooks, or the health check, were begun {} times and never ended", trials_.value_or(0))});
    }
    return Happening::begins(Work::hook, std::move(hook));
}

Happening Verification::on(HookEnded const& event) {
    uncount_trial();
    if (!event.status) return hook_failed(event.status.error());
    ++hooks_run_;
    return Happening::again();
}

bool Verification::is_worn_out() const { return trials_.value_or(0) >= around_.settings.most_trials; }

void Verification::end_trials() {
    if (!is_worn_out()) trials_ = 0;
}

void Verification::uncount_trial() { trials_ = std::max<std::uint64_t>(1, trials_.value_or(0)) - 1; }

// A release that its hooks do not prepare is not switched to.
Happening Verification::hook_failed(Error const& error) {
    if (around_.progress.phase == Phase::verifying) return end(pass(Error(error)));
    end_trials();
    around_.effects.perform(LetGo{around_.software()});
    return Happening::failed(error);
}

// ---- the verification ----

Happening Verification::advance() {
    if (hooks_run_ < after_.size()) return run_hook(after_[hooks_run_]);
    auto const& how = around_.target.how();
    if (!how.health) return end({});
    if (!begin_trial())
        return end(fail(Fault::failed, "{} health checks were begun and none came to an end", trials_.value_or(0)));
    return Happening::begins(Work::health_check, CheckHealth{around_.target.release, *how.health});
}

Happening Verification::end(Status const& healthy) {
    if (healthy) {
        trials_ = 0;
        return Happening::moved(Transition::found_healthy);
    }
    auto const& why = healthy.error().message;
    if (way_back()) return Happening::moved(Transition::found_unhealthy, why);
    end_trials();  // it is tried again
    return Happening::failed({Fault::failed, why + "; there is no release to go back to"});
}

// ---- the way back ----

// The last release that was shown to work here, or at least the one before.
std::optional<ReleaseId> Verification::way_back() const {
    auto const& installed = around_.installed;
    auto const& back = installed.proven ? installed.proven : installed.previous;
    if (!back || back->seq == around_.target.release.seq) return std::nullopt;
    return around_.release_of(*back);
}

Happening Verification::switch_back() const {
    if (auto back = way_back()) return switch_to(std::move(*back));
    return Happening::failed({Fault::failed, "there is no release to go back to"});
}

Happening Verification::switched_back(SwitchEnded const& event) const {
    auto const& why = around_.progress.why;
    if (!event.status) {
        return Happening::failed(
            {Fault::failed, fmt::format("{}; and there is no way back: {}", why, event.status.error().message)});
    }
    return Happening::moved(Transition::switched,
                            fmt::format("{} is active again: {}", event.release.version.text(), why));
}

}  // namespace lull::subscriber
