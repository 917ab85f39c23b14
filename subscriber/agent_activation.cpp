#include <algorithm>

#include "subscriber/agent.hpp"

// From a staged tree to the moment at which a release may become live: holds and time windows, who uses the one before. How it does, and
// what follows, is in agent_trial.cpp.

namespace lull::subscriber {

namespace {

constexpr Duration longest_look_ahead = std::chrono::minutes(10);  // a wall clock may be set meanwhile
constexpr Duration between_counts = std::chrono::minutes(10);      // with a deadline
constexpr Duration least_counted = std::chrono::seconds(1);        // of the time that users are waited for

}  // namespace

// ---- may it, and is it free? ----

void Agent::pursue_activation(SoftwareName const& software, Moment now) {
    auto const& record = state_.software.at(software);
    work_.at(software).look_again.reset();
    bool const fetched = record.phase != Phase::held || record.staged;  // else it was withdrawn before, and no other gate matters yet
    auto const gate = fetched ? closed_gate(software, now) : rules_.withdrawn(work_.at(software).info, record.entry.seq);
    if (gate) return hold_back(software, *gate, now);
    if (record.phase != Phase::held && record.phase != Phase::in_line) return probe(software, now);
    if (!move(software, fetched ? Happening::let_through : Happening::try_again, "", now)) return;
    save(software, [this, software](Moment then) { pursue(software, then); });
}

std::optional<Gate> Agent::closed_gate(SoftwareName const& software, Moment now) const {
    auto const installs = active_of(software) ? ActivationRules::Installs::replaces : ActivationRules::Installs::first;
    return rules_.gate(work_.at(software).info, state_.software.at(software).entry.seq, installs, now.wall);
}

void Agent::hold_back(SoftwareName const& software, Gate const& gate, Moment now) {
    auto& record = state_.software.at(software);
    if (gate.until) {
        auto const wait = std::chrono::microseconds(std::max<std::int64_t>(0, gate.until->micros - now.wall.micros));
        work_.at(software).look_again = now.point + std::min<Duration>(wait, longest_look_ahead);
    }
    auto const held_in = gate.kind == Gate::Kind::in_line ? Phase::in_line : Phase::held;
    if (record.phase == held_in && record.why == gate.why) return;
    if (record.phase == Phase::waiting) out_.push_back(LetGo{software});
    auto& work = work_.at(software);
    work.asked_to_end = false;
    if (record.phase == Phase::announced || record.phase == Phase::fetching) {
        fetcher_.unwant(software);
        work.plan.reset();
        work.patch = {};
        record.staged.reset();  // there is no tree
    }
    if (!move(software, held_in == Phase::in_line ? Happening::put_in_line : Happening::held_back, gate.why, now)) return;
    save(software, [this, software](Moment then) { pursue(software, then); });
}

void Agent::look_again(Moment now) {
    for (auto& [software, work] : work_) {
        if (!work.look_again || now.point < *work.look_again) continue;
        work.look_again.reset();
        pursue(software, now);
    }
}

void Agent::on_event(HoldsRead event, Moment now) {
    rules_.set(std::move(event.holds));
    for (auto const& [software, record] : state_.software) {
        bool const may_become_live = record.phase == Phase::held || record.phase == Phase::waiting || record.phase == Phase::staged;
        if (may_become_live) pursue(software, now);
    }
}

Policy Agent::policy_of(SoftwareName const& software) const {
    auto const& record = state_.software.at(software);
    return rules_.policy(work_.at(software).info, record.entry.seq, std::chrono::microseconds(record.waited.value_or(0)));
}

// A wall clock that is set must not end anybody early, so what counts is the time that this process has seen pass. With a deadline it is
// written now and then, so that little of it is lost in a crash.
void Agent::count_waiting(SoftwareName const& software, Moment now) {
    auto& record = state_.software.at(software);
    auto& since = work_.at(software).waiting_since;
    if (record.phase != Phase::waiting) return since.reset();
    auto const passed = since ? now.point - *since : Duration();
    if (since && passed < least_counted) return;
    since = now.point;
    record.waited = record.waited.value_or(0) + static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(passed).count());
    if (rules_.deadline(work_.at(software).info)) persist({journal::put(software, record)}, [](Moment) {});
}

std::optional<TimePoint> Agent::next_count(SoftwareName const& software) const {
    auto const& work = work_.at(software);
    if (!work.waiting_since || state_.software.at(software).phase != Phase::waiting || !rules_.deadline(work.info)) return std::nullopt;
    return *work.waiting_since + between_counts;
}

void Agent::count_waits(Moment now) {
    for (auto const& [software, work] : work_) {
        if (auto const due = next_count(software); due && now.point >= *due) count_waiting(software, now);
    }
}

void Agent::probe(SoftwareName const& software, Moment now) {
    auto const active = active_of(software);
    // The first installation: nobody can use what is not there.
    if (!active) return take_turn(software, "", now);
    auto& work = work_.at(software);
    work.busy = true;
    work.busy_with = target_of(software).seq;
    out_.push_back(ProbeUse{*active});
}

void Agent::take_turn(SoftwareName const& software, std::string why, Moment now) {
    work_.at(software).asked_to_end = false;
    work_.at(software).hooks_run = 0;
    if (move(software, Happening::found_free, std::move(why), now)) save(software, [this, software](Moment then) { pursue(software, then); });
}

void Agent::on_event(UseFound event, Moment now) {
    auto const software = event.software;
    auto& work = work_.at(software);
    auto& record = state_.software.at(software);
    work.busy = false;
    count_waiting(software, now);
    bool const ready = record.phase == Phase::staged || record.phase == Phase::waiting;
    if (work.busy_with != record.entry.seq || !(ready || record.phase == Phase::rolling_back)) {
        out_.push_back(LetGo{software});
        return pursue(software, now);
    }
    if (auto const gate = ready ? closed_gate(software, now) : std::nullopt) {
        out_.push_back(LetGo{software});
        return hold_back(software, *gate, now);
    }
    if (should_end(software, event, now)) return end_use(software, std::move(event.holders), now);
    if (record.phase == Phase::rolling_back) return switch_back(software, now);
    // Whoever uses the old version keeps its files: only what starts from now on gets the new one.
    bool const free = event.answer == UseAnswer::free;
    if (free) return take_turn(software, std::exchange(work.ended, {}), now);
    auto const* forced = rules_.forced(work.info, record.entry.seq);
    if (forced != nullptr && (work.asked_to_end || policy_of(software) == Policy::now)) {
        return take_turn(software, fmt::format("in use, and forced by {}", forced->by), now);
    }
    if (policy_of(software) == Policy::now) return take_turn(software, "in use, and this release does not wait", now);
    wait_for_holders(std::move(event), now);
}

void Agent::wait_for_holders(UseFound event, Moment now) {
    auto const& software = event.software;
    auto& work = work_.at(software);
    auto& record = state_.software.at(software);
    auto const active = *active_of(software);
    if (!work.waiting_since) work.waiting_since = now.point;
    if (work.end_again && now.point >= *work.end_again) work.end_again.reset();
    if (std::exchange(work.asked_to_end, false)) work.end_again = now.point + settings_.end_again;
    work.look_again = work.end_again;
    if (auto const end = rules_.deadline(work.info); end && !work.end_again) {
        auto const left = *end - std::chrono::microseconds(record.waited.value_or(0));
        if (left > Duration()) work.look_again = now.point + std::max<Duration>(left, least_counted);
    }
    out_.push_back(WatchUse{active, event.holders});
    if (event.holders.size() > limits::holders_per_report) event.holders.resize(limits::holders_per_report);
    // Told now and then: a holder that was told lately keeps the time at which it was.
    for (auto& holder : event.holders) {
        auto const before = std::find_if(record.holders.begin(), record.holders.end(),
                                         [&](Holder const& h) { return h.pid == holder.pid && h.since == holder.since; });
        if (before == record.holders.end() || !before->told) continue;
        auto const age = std::chrono::microseconds(now.wall.micros - before->told->micros);
        if (age < settings_.remind) holder.told = before->told;
    }
    auto why = event.answer == UseAnswer::unknown ? fmt::format("cannot tell whether it is in use: {}", event.why) : event.why;
    if (!work.ended.empty()) why += (why.empty() ? "" : "; ") + work.ended;
    if (record.ended.value_or(false)) start_use(software);  // some have ended and others stay: these must not do without it meanwhile
    if (record.phase == Phase::waiting) {
        if (record.why == why && record.holders == event.holders) return;
        // Programs that come and go all the time must not fill the log, and the broker's ledger.
        if (auto const say_at = work.told_at.value_or(TimePoint()) + settings_.between_holders; work.told_at && now.point < say_at) {
            work.look_again = std::min(work.look_again.value_or(say_at), say_at);
            return;
        }
    }
    work.ended.clear();
    work.told_at = now.point;
    if (!move(software, Happening::found_in_use, std::move(why), now)) return;
    record.holders = std::move(event.holders);
    save(software, [](Moment) {});
    out_.push_back(TellHolders{active, target_of(software), record.holders});
}

void Agent::on_event(HoldersTold event, Moment) {
    auto& record = state_.software.at(event.software);
    if (record.phase != Phase::waiting || record.holders == event.holders) return;
    record.holders = std::move(event.holders);
    save(event.software, [](Moment) {});
}

void Agent::on_event(UseMayHaveEnded event, Moment now) {
    if (state_.software.at(event.software).phase == Phase::waiting) pursue(event.software, now);
}

// ---- users that are to end ----

// Once for each look that finds them, and not again and again if they stay. Services also if nobody was seen: what an interpreter has read
// and closed is not seen everywhere.
bool Agent::should_end(SoftwareName const& software, UseFound const& found, Moment now) const {
    auto const& work = work_.at(software);
    if (work.asked_to_end || (work.end_again && now.point < *work.end_again)) return false;
    if (policy_of(software) != Policy::restart) return false;
    return !found.holders.empty() || !activation_of(work.info).units.empty();
}

// That it was ordered is durable first: whoever was ended must be started again, whatever happens.
void Agent::end_use(SoftwareName const& software, std::vector<Holder> holders, Moment now) {
    auto& work = work_.at(software);
    auto& record = state_.software.at(software);
    out_.push_back(LetGo{software});
    work.busy = true;
    work.asked_to_end = true;
    work.end_again.reset();
    record.ended = true;
    auto const how = activation_of(work.info);
    auto const active = active_of(software);
    auto shown = holders;
    if (shown.size() > limits::holders_per_report) shown.resize(limits::holders_per_report);
    if (record.phase != Phase::rolling_back) {
        if (!move(software, Happening::found_in_use, fmt::format("its users are asked to end, and are ended after {} s", how.grace), now)) return;
        record.holders = std::move(shown);
    }
    save(software, [this, active = *active, holders = std::move(holders), how](Moment) {
        out_.push_back(EndUse{active, holders, std::chrono::seconds(how.grace), how.units});
    });
}

void Agent::on_event(UseEnded event, Moment now) {
    auto& work = work_.at(event.software);
    work.busy = false;
    if (!event.what.empty()) say(LogLevel::info, fmt::format("{}: {}", event.software.text(), event.what));
    work.ended = std::move(event.what);
    pursue(event.software, now);
}

// Also where the switch did not happen: they start again with what is current.
void Agent::start_use(SoftwareName const& software) {
    auto& work = work_.at(software);
    work.busy = true;
    work.busy_with = target_of(software).seq;
    out_.push_back(StartUse{software, activation_of(work.info).units});
}

void Agent::on_event(UseStarted event, Moment now) {
    auto const& software = event.software;
    auto& record = state_.software.at(software);
    work_.at(software).busy = false;
    record.ended = false;
    if (!event.status) say(LogLevel::error, fmt::format("{}: {}", software.text(), event.status.error().message));
    if (!event.status && record.phase == Phase::probation) return end_trial(software, event.status, now);
    save(software, [this, software](Moment then) { pursue(software, then); });
}

}  // namespace lull::subscriber
