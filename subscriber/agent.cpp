#include "subscriber/agent.hpp"

#include <algorithm>

namespace lull::subscriber {

namespace {

// Whoever was ended for a switch starts again: nothing is switched in these phases, or not soon.
bool rests(Phase phase) {
    switch (phase) {
        case Phase::staged:
        case Phase::waiting:
        case Phase::switching:
        case Phase::probation:
        case Phase::rolling_back: return false;
        default: return true;
    }
}

}  // namespace

Agent::Agent(AgentSettings settings, JournalState state, std::map<SoftwareName, ReleaseId> installed, Holds holds)
    : settings_(std::move(settings)),
      state_(std::move(state)),
      rules_(settings_.node, settings_.rules, std::move(holds), {state_.orders, state_.own_orders}),
      fetcher_(settings_.fetch),
      link_(settings_.link, settings_.seed),
      recorded_(state_.cursor),
      recorded_orders_(state_.orders.revision),
      recorded_own_orders_(state_.own_orders.revision),
      random_(settings_.seed) {
    fetcher_.load(state_.objects);
    for (auto const& [software, report] : state_.outbox) saved_[software] = report.revision;
    for (auto& [software, record] : state_.software) {
        auto const found = installed.find(software);
        std::optional<ReleaseRef> const current =
            found == installed.end() ? std::nullopt : std::optional(ReleaseRef{found->second.seq, found->second.version});
        if (record.active != current) {
            if (record.active) record.previous = record.active;
            record.active = current;
        }
        auto info = decode_update_info(record.entry.update.payload);
        LULL_INVARIANT(info.has_value());  // it was decoded before it was recorded
        work_[software].info = std::move(*info);
    }
}

Actions Agent::start(Moment now) {
    out_.clear();
    for (auto& [software, record] : state_.software) {
        if (record.phase == Phase::fetching) record.phase = Phase::announced;  // a plan is made anew from what is here
        if (record.phase == Phase::active && record.active != ReleaseRef{record.entry.seq, work_[software].info.version}) {
            record.phase = Phase::announced;  // `current` points elsewhere: install again
        }
        if (record.phase == Phase::probation && active_of(software) != target_of(software)) record.phase = Phase::announced;
        // The lock of the last look is gone with the process that had it: look again, unless all is done but the record of it.
        if (record.phase == Phase::switching && active_of(software) != target_of(software)) record.phase = Phase::staged;
        if (record.phase == Phase::failed) work_.at(software).retry = now.point;  // whoever starts it anew wants to see it tried
        pursue(software, now);
        if (record.phase == Phase::active) clean_up(software);  // the last process may have ended before it had done so
    }
    collect_garbage();
    keep_exchange_going(now);
    return std::exchange(out_, {});
}

Actions Agent::on(Event event, Moment now) {
    out_.clear();
    std::visit([&](auto& concrete) { on_event(std::move(concrete), now); }, event);
    retry_failed(now);
    end_waiting(now);
    look_again(now);
    count_waits(now);
    scan_due(now);
    keep_exchange_going(now);
    return std::exchange(out_, {});
}

// ---- what others see of a release ----

ReleaseId Agent::target_of(SoftwareName const& software) const {
    return {software, state_.software.at(software).entry.seq, work_.at(software).info.version};
}

std::optional<ReleaseId> Agent::active_of(SoftwareName const& software) const {
    auto const& active = state_.software.at(software).active;
    if (!active) return std::nullopt;
    return ReleaseId{software, active->seq, active->version};
}

bool Agent::is_target(ReleaseId const& release) const {
    auto const found = state_.software.find(release.software);
    return found != state_.software.end() && found->second.entry.seq == release.seq;
}

// Puts the record's state into the outbox, as part of the same batch.
std::uint64_t Agent::report(SoftwareName const& software, store::Batch& batch) {
    auto& record = state_.software.at(software);
    ++record.revision;
    Report report{software,      record.entry.seq, ledger_state(record.phase), record.revision, record.since,
                  record.why, record.holders,   std::nullopt};
    if (record.active) report.active = record.active->seq;
    batch.push_back(journal::put(software, record));
    batch.push_back(journal::put(report));
    state_.outbox[software] = std::move(report);
    return record.revision;
}

void Agent::mark_saved(SoftwareName const& software, std::uint64_t revision) {
    saved_[software] = revision;
    unsaid_.insert(software);
}

// ---- steps ----

// Changes the phase, says so in the log; the caller saves. False: the table does not know this step from here.
bool Agent::move(SoftwareName const& software, Happening what, std::string why, Moment now) {
    auto& record = state_.software.at(software);
    auto const next = next_phase(record.phase, what);
    if (!next) {
        say(LogLevel::error, fmt::format("{}: '{}' cannot happen while {}", software.text(), to_text(what), to_text(record.phase)));
        return false;
    }
    if (*next != record.phase) record.since = now.wall;
    record.phase = *next;
    record.why = std::move(why);
    if (*next != Phase::waiting) record.holders.clear();
    say(LogLevel::info, fmt::format("{} {}: {}{}{}", software.text(), work_.at(software).info.version.text(), to_text(*next),
                                    record.why.empty() ? "" : ": ", record.why));
    return true;
}

void Agent::save(SoftwareName const& software, Continuation then) {
    store::Batch batch;
    auto const revision = report(software, batch);
    persist(std::move(batch), [this, software, revision, then = std::move(then)](Moment now) {
        mark_saved(software, revision);
        then(now);
    });
}

// Does the next thing that can be done for the newest release of a software.
void Agent::pursue(SoftwareName const& software, Moment now) {
    auto& record = state_.software.at(software);
    auto& work = work_.at(software);
    if (work.busy || !work.recorded) return;
    if (record.ended.value_or(false) && rests(record.phase)) return start_use(software);
    if (record.phase == Phase::announced || record.phase == Phase::fetching) {
        if (auto const gate = rules_.withdrawn(work.info, record.entry.seq)) return hold_back(software, *gate, now);
    }
    switch (record.phase) {
        case Phase::announced: return pursue_plan(software, now);
        case Phase::fetching: return pursue_objects(software, now);
        case Phase::staged:
        case Phase::waiting:
        case Phase::in_line:
        case Phase::held: return pursue_activation(software, now);
        case Phase::switching: return pursue_switch(software, now);
        case Phase::probation: return pursue_trial(software, now);
        case Phase::rolling_back: return pursue_way_back(software, now);
        case Phase::active:
        case Phase::rolled_back: return;
        case Phase::failed: {
            auto const doubled = settings_.first_retry * (std::int64_t{1} << std::min<std::uint64_t>(record.failures, 16));
            auto const longest = work.fault == Fault::no_space ? settings_.longest_without_room : settings_.longest_retry;
            if (!work.retry) work.retry = now.point + std::min(longest, doubled);
            return;
        }
    }
}

void Agent::give_up(SoftwareName const& software, Error const& error, Moment now) {
    auto& record = state_.software.at(software);
    if (!move(software, Happening::given_up, error.message, now)) return;
    ++record.failures;
    auto& work = work_.at(software);
    work.fault = error.fault;
    work.retry.reset();
    work.plan.reset();
    work.patch = {};
    fetcher_.unwant(software);
    save(software, [this, software](Moment then) { pursue(software, then); });
}

// ---- what the shell found out ----

// Forgets objects: first the journal, then the files, unless they are wanted and arriving again by then.
void Agent::drop(std::vector<Digest> const& objects, Continuation then) {
    store::Batch batch;
    for (auto const& object : objects) {
        fetcher_.forget(object);
        state_.objects.erase(object);
        batch.push_back(journal::drop_object(object));
    }
    persist(std::move(batch), [this, objects, then = std::move(then)](Moment now) {
        std::vector<Digest> gone;
        for (auto const& object : objects) {
            if (!fetcher_.knows(object)) gone.push_back(object);
        }
        out_.push_back(DropObjects{std::move(gone)});
        then(now);
    });
}

void Agent::clean_up(SoftwareName const& software) {
    auto const& record = state_.software.at(software);
    std::vector<ReleaseId> keep;
    for (auto const& kept : {record.active, record.previous, record.proven}) {
        if (!kept) continue;
        ReleaseId release{software, kept->seq, kept->version};
        if (std::find(keep.begin(), keep.end(), release) == keep.end()) keep.push_back(std::move(release));
    }
    if (active_of(software) != target_of(software)) keep.push_back(target_of(software));  // it may be staged by now
    out_.push_back(RemoveVersions{software, std::move(keep)});
    collect_garbage();
}

// Objects are dropped when no release is under way: until then a newer one may want them.
void Agent::collect_garbage() {
    bool const under_way = std::any_of(state_.software.begin(), state_.software.end(), [](auto const& entry) {
        return entry.second.phase == Phase::announced || entry.second.phase == Phase::fetching || entry.second.phase == Phase::failed;
    });
    auto const garbage = fetcher_.garbage();
    if (under_way || garbage.empty()) return;
    drop(garbage, [](Moment) {});
}

// ---- the journal ----

void Agent::persist(store::Batch batch, Continuation then) {
    auto const ticket = next_ticket_++;
    continuations_.emplace(ticket, std::move(then));
    out_.push_back(Persist{ticket, std::move(batch)});
}

void Agent::on_event(BatchDone event, Moment now) {
    auto const found = continuations_.find(event.ticket);
    LULL_INVARIANT(found != continuations_.end());
    auto const then = std::move(found->second);
    continuations_.erase(found);
    // Without its journal a node must not go on: memory would be ahead of the disk. The shell ends the process and starts anew
    // from what is durable.
    LULL_INVARIANT(event.status.has_value());
    then(now);
}

void Agent::on_event(Tick, Moment) {}  // what is due is done after every event

void Agent::retry_failed(Moment now) {
    for (auto& [software, work] : work_) {
        if (!work.retry || now.point < *work.retry) continue;
        work.retry.reset();
        if (state_.software.at(software).phase != Phase::failed) continue;
        if (move(software, Happening::try_again, state_.software.at(software).why, now)) pursue(software, now);
    }
}

std::optional<TimePoint> Agent::wake() const {
    TimePoint when = link_.wake(need());
    bool const asked = sync_owed_ || plan_owed() || !state_.outbox.empty();
    if (link_.open() && asked) when = std::min(when, asked_at_ + settings_.link.answer);
    if (next_scan_) when = std::min(when, *next_scan_);
    for (auto const& [software, work] : work_) {
        if (work.retry) when = std::min(when, *work.retry);
        if (work.patch.until) when = std::min(when, *work.patch.until);
        if (work.look_again) when = std::min(when, *work.look_again);
        if (auto const count = next_count(software)) when = std::min(when, *count);
    }
    return when;
}

}  // namespace lull::subscriber
