#include "subscriber/agent/activator.hpp"

#include <algorithm>

namespace lull::subscriber {

namespace {

constexpr Duration longest_look_ahead = std::chrono::minutes(10);  // a wall clock may be set meanwhile
constexpr Duration between_counts = std::chrono::minutes(10);      // with a deadline
constexpr Duration least_counted = std::chrono::seconds(1);        // of the time that users are waited for

bool is_ready(Phase phase) { return phase == Phase::staged || phase == Phase::waiting; }

}  // namespace

// ---- gates ----

std::optional<ActivationGate> Activator::closed_gate(Moment now) const {
    auto const installs = around_.installed.active ? ActivationRules::Installs::replaces
                                                   : ActivationRules::Installs::first;
    return around_.rules.gate(info(), seq(), installs, now.wall);
}

std::optional<ActivationGate> Activator::withdrawn() const { return around_.rules.withdrawn(info(), seq()); }

Happening Activator::hold_back(ActivationGate const& gate, Moment now) {
    auto const& progress = around_.progress;
    if (gate.until) {
        auto const wait = std::chrono::microseconds(std::max<std::int64_t>(0, gate.until->micros - now.wall.micros));
        check_again_ = now.point + std::min<Duration>(wait, longest_look_ahead);
    }
    bool const in_rollout = gate.kind == ActivationGate::Kind::awaiting_rollout;
    if (progress.phase == (in_rollout ? Phase::awaiting_rollout : Phase::held) && progress.why == gate.why)
        return Happening::nothing();
    if (progress.phase == Phase::waiting) around_.effects.perform(LetGo{around_.software()});
    asked_to_end_ = false;
    return Happening::moved(in_rollout ? Transition::await_rollout : Transition::held_back, gate.why);
}

// ---- users ----

Happening Activator::advance(Tree tree, Moment now) {
    check_again_.reset();
    // No other gate matters to a release that was withdrawn before it was staged.
    bool const staged = tree == Tree::staged;
    if (auto const gate = staged ? closed_gate(now) : withdrawn()) return hold_back(*gate, now);
    auto const phase = around_.progress.phase;
    bool const held = phase == Phase::held || phase == Phase::awaiting_rollout;
    if (held) return Happening::moved(staged ? Transition::let_through : Transition::try_again);
    // A first installation has no users to wait for. Those of a release that is live already keep what they use.
    if (!around_.installed.active || around_.target_is_active()) return switch_now("");
    return probe();
}

Happening Activator::probe() const {
    around_.effects.perform(ProbeUse{*around_.active()});
    return Happening::began(Work::probe);
}

Happening Activator::switch_now(std::string why) {
    asked_to_end_ = false;
    return Happening::moved(Transition::found_free, std::move(why));
}

Policy Activator::policy() const { return around_.rules.policy(info(), seq(), waited()); }

Happening Activator::on(UseFound const& event, Moment now) {
    if (auto const gate = closed_gate(now)) {
        around_.effects.perform(LetGo{around_.software()});
        return hold_back(*gate, now);
    }
    if (should_end(event, now)) return end_use(event);
    if (event.answer == UseAnswer::free) return switch_now(std::exchange(ended_, {}));
    // From here on the running version is in use. Its processes keep its files; only what starts later gets the new
    // ones.
    auto const* forced = around_.rules.forced(info(), seq());
    if (forced != nullptr && (asked_to_end_ || policy() == Policy::now))
        return switch_now(fmt::format("in use, and forced by {}", forced->by));
    if (policy() == Policy::now) return switch_now("in use, and this release does not wait");
    return wait_for(event, now);
}

std::optional<Happening> Activator::end_for_way_back(UseFound const& event, Moment now) {
    if (!should_end(event, now)) return std::nullopt;
    return end_use(event);
}

Happening Activator::wait_for(UseFound const& found, Moment now) {
    plan_next_check(now);
    around_.effects.perform(WatchUse{*around_.active(), found.holders});
    auto holders = known_holders(found, now);
    auto why = reason(found);
    Happening happening;
    happening.start_users =
        true;  // where some users have ended and others stay, those that ended start again meanwhile
    if (around_.progress.phase == Phase::waiting) {
        if (around_.progress.why == why && wait_.holders == holders) return happening;
        // Programs that come and go all the time must not fill the log and the broker's table of nodes.
        auto const next_report = reported_at_.value_or(TimePoint()) + around_.settings.between_holders;
        if (reported_at_ && now.point < next_report) {
            check_again_ = std::min(check_again_.value_or(next_report), next_report);
            return happening;
        }
    }
    ended_.clear();
    reported_at_ = now.point;
    wait_.holders = std::move(holders);
    around_.effects.perform(TellHolders{*around_.active(), around_.target.release, wait_.holders});
    happening.transition = Transition::found_in_use;
    happening.why = std::move(why);
    happening.then = Happening::Then::save;
    return happening;
}

void Activator::plan_next_check(Moment now) {
    if (!waiting_since_) waiting_since_ = now.point;
    if (end_again_ && now.point >= *end_again_) end_again_.reset();
    if (std::exchange(asked_to_end_, false)) end_again_ = now.point + around_.settings.end_again;
    check_again_ = end_again_;
    auto const deadline = around_.rules.deadline(info());
    if (!deadline || end_again_) return;
    auto const left = *deadline - waited();
    if (left > Duration()) check_again_ = now.point + std::max<Duration>(left, least_counted);
}

// A user that was notified lately keeps the time of that; the others are to be notified now.
std::vector<Holder> Activator::known_holders(UseFound const& found, Moment now) const {
    auto holders = found.holders;
    if (holders.size() > limits::holders_per_report) holders.resize(limits::holders_per_report);
    for (auto& holder : holders) {
        auto const before = std::ranges::find_if(
            wait_.holders, [&](Holder const& known) { return known.pid == holder.pid && known.since == holder.since; });
        if (before == wait_.holders.end() || !before->told) continue;
        auto const age = std::chrono::microseconds(now.wall.micros - before->told->micros);
        if (age < around_.settings.remind) holder.told = before->told;
    }
    return holders;
}

std::string Activator::reason(UseFound const& found) const {
    auto why = found.answer == UseAnswer::unknown ? fmt::format("cannot tell whether it is in use: {}", found.why)
                                                  : found.why;
    if (!ended_.empty()) why += (why.empty() ? "" : "; ") + ended_;
    return why;
}

Happening Activator::on(HoldersTold const& event) {
    if (around_.progress.phase != Phase::waiting || wait_.holders == event.holders) return Happening::nothing();
    wait_.holders = event.holders;
    return {.then = Happening::Then::save};
}

// ---- users that are to end ----

// Once for each probe that finds users, and not again and again if they stay. Services end also if no user was found:
// a file that an interpreter has read and closed leaves no trace everywhere.
bool Activator::should_end(UseFound const& found, Moment now) const {
    if (asked_to_end_ || (end_again_ && now.point < *end_again_)) return false;
    if (policy() != Policy::restart) return false;
    return !found.holders.empty() || !around_.target.how().units.empty();
}

// That users are to end is durable first: those that were ended must be started again, whatever happens.
Happening Activator::end_use(UseFound const& found) {
    auto const& how = around_.target.how();
    around_.effects.perform(LetGo{around_.software()});
    asked_to_end_ = true;
    end_again_.reset();
    auto happening = Happening::begins(
        Work::ending_use, EndUse{*around_.active(), found.holders, std::chrono::seconds(how.grace), how.units});
    if (!is_ready(around_.progress.phase)) return happening;  // on a way back
    happening.transition = Transition::found_in_use;
    happening.why = fmt::format("its users are asked to end, and are ended after {} s", how.grace);
    wait_.holders = found.holders;
    if (wait_.holders.size() > limits::holders_per_report) wait_.holders.resize(limits::holders_per_report);
    return happening;
}

// ---- time ----

// A wall clock that is set must not end users early. Only time that this process has seen pass counts; with a deadline
// it is recorded now and then, so that a crash loses little of it.
bool Activator::count_waiting(Moment now) {
    if (around_.progress.phase != Phase::waiting) {
        waiting_since_.reset();
        return false;
    }
    auto const passed = waiting_since_ ? now.point - *waiting_since_ : Duration();
    if (waiting_since_ && passed < least_counted) return false;
    waiting_since_ = now.point;
    wait_.waited = wait_.waited.value_or(0) +
                   static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(passed).count());
    return around_.rules.deadline(info()).has_value();
}

std::optional<TimePoint> Activator::next_count() const {
    bool const counts = waiting_since_ && around_.progress.phase == Phase::waiting && around_.rules.deadline(info());
    return counts ? std::optional(*waiting_since_ + between_counts) : std::nullopt;
}

bool Activator::count_due(Moment now) const {
    auto const due = next_count();
    return due && now.point >= *due;
}

bool Activator::check_due(Moment now) {
    if (!check_again_ || now.point < *check_again_) return false;
    check_again_.reset();
    return true;
}

std::optional<TimePoint> Activator::wake() const {
    auto const count = next_count();
    return check_again_ && count ? std::min(check_again_, count) : check_again_ ? check_again_ : count;
}

}  // namespace lull::subscriber
