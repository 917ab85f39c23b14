#include "subscriber/agent.hpp"

#include <algorithm>

namespace lull::subscriber {

Agent::Agent(AgentSettings settings, JournalState state, std::map<SoftwareName, ReleaseId> installed)
    : settings_(std::move(settings)),
      state_(std::move(state)),
      fetcher_(settings_.fetch),
      link_(settings_.link, settings_.seed),
      recorded_(state_.cursor),
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
    switch (record.phase) {
        case Phase::announced: return pursue_plan(software, now);
        case Phase::fetching: return pursue_objects(software, now);
        case Phase::staged: return probe(software, now);
        case Phase::waiting: return probe(software, now);
        case Phase::switching: return start_switch(software);
        case Phase::active: return;
        case Phase::failed: {
            auto const doubled = settings_.first_retry * (std::int64_t{1} << std::min<std::uint64_t>(record.failures, 16));
            auto const longest = work.fault == Fault::no_space ? settings_.longest_without_room : settings_.longest_retry;
            if (!work.retry) work.retry = now.point + std::min(longest, doubled);
            return;
        }
    }
}

void Agent::probe(SoftwareName const& software, Moment now) {
    auto const active = active_of(software);
    auto& work = work_.at(software);
    work.busy = true;
    work.busy_with = target_of(software).seq;
    if (active) {
        out_.push_back(ProbeUse{*active});
        return;
    }
    // The first installation: nobody can use what is not there.
    work.busy = false;
    if (move(software, Happening::found_free, "", now)) save(software, [this, software](Moment then) { pursue(software, then); });
}

void Agent::start_switch(SoftwareName const& software) {
    auto& work = work_.at(software);
    work.busy = true;
    work.busy_with = target_of(software).seq;
    out_.push_back(SwitchCurrent{target_of(software)});
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

void Agent::on_event(UseFound event, Moment now) {
    auto const& software = event.software;
    auto& work = work_.at(software);
    auto& record = state_.software.at(software);
    work.busy = false;
    if (work.busy_with != record.entry.seq || (record.phase != Phase::staged && record.phase != Phase::waiting)) {
        out_.push_back(LetGo{software});
        return pursue(software, now);
    }
    // Whoever uses the old version keeps its files: only what starts from now on gets the new one.
    bool const free = event.answer == UseAnswer::free;
    if (free || work.info.policy == Policy::now) {
        if (!move(software, Happening::found_free, free ? "" : "in use, and this release does not wait", now)) return;
        return save(software, [this, software](Moment then) { pursue(software, then); });
    }
    auto const active = *active_of(software);
    out_.push_back(WatchUse{active, event.holders});
    if (event.holders.size() > limits::holders_per_report) event.holders.resize(limits::holders_per_report);
    // Told once: a holder that was told before keeps the time at which it was.
    for (auto& holder : event.holders) {
        auto const before = std::find_if(record.holders.begin(), record.holders.end(),
                                         [&](Holder const& h) { return h.pid == holder.pid && h.since == holder.since; });
        if (before != record.holders.end()) holder.told = before->told;
    }
    auto why = event.answer == UseAnswer::unknown ? fmt::format("cannot tell whether it is in use: {}", event.why) : event.why;
    if (record.phase == Phase::waiting && record.why == why && record.holders == event.holders) return;
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

void Agent::on_event(SwitchEnded event, Moment now) {
    auto const& software = event.release.software;
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
    if (!is_target(event.release)) {  // a newer one was announced in this instant
        return save(software, [this, software](Moment then) { pursue(software, then); });
    }
    if (!event.status) {
        if (event.status.error().fault != Fault::not_found) return give_up(software, event.status.error(), now);
        if (!move(software, Happening::tree_lost, event.status.error().message, now)) return;
        return save(software, [this, software](Moment then) { pursue(software, then); });
    }
    if (!move(software, Happening::switched, "", now)) return;
    save(software, [this, software](Moment) { clean_up(software); });
}

void Agent::clean_up(SoftwareName const& software) {
    auto const& record = state_.software.at(software);
    std::vector<ReleaseId> keep;
    for (auto const& kept : {record.active, record.previous}) {
        if (kept) keep.push_back({software, kept->seq, kept->version});
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
    }
    return when;
}

}  // namespace lull::subscriber
