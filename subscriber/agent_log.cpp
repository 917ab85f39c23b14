#include <algorithm>

#include "subscriber/agent.hpp"

// What the agent hears of the broker's log, and how it catches up: by announcements, by pages of the log, or by a snapshot.

namespace lull::subscriber {

namespace {

bool is_behind(std::optional<SoftwareName> const& from, SoftwareName const& name) { return !from || *from < name; }

}  // namespace

void Agent::on_event(AnnouncementHeard event, Moment now) {
    if (auto const* update = std::get_if<Update>(&event.message)) return announced(*update, now);
    if (auto const* head = std::get_if<Head>(&event.message)) return on_message(*head, now);
    if (auto const* orders = std::get_if<Orders>(&event.message)) return announced(*orders, now);
    say(LogLevel::warn, fmt::format("{} does not belong on the announce channel", to_text(type_of(event.message))));
}

void Agent::announced(Update const& message, Moment now) {
    hear_of(message.epoch, message.entry.seq, spread_, now);
    if (follows(message.epoch) && message.entry.prev <= state_.cursor.seq) record(message.epoch, {message.entry}, now);
}

// Whether this is the log that our cursor is in. One that has recorded nothing yet is in any.
bool Agent::follows(Epoch epoch) const { return epoch == state_.cursor.epoch || state_.cursor == Cursor{}; }

void Agent::on_message(Head const& message, Moment now) {
    spread_ = std::chrono::milliseconds(std::min<std::uint64_t>(message.spread, 600'000));
    hear_of(message.epoch, message.head, spread_, now);
    if (message.orders.value_or(0) != state_.orders.revision) link_.gap(now.point, spread_);
    // A log that ends before our cursor has lost something: say so, once for each such head.
    if (message.epoch != recorded_.epoch || message.head >= recorded_.seq || low_head_ == message.head) return;
    low_head_ = message.head;
    link_.gap(now.point, spread_);
}

// If something was missed, or the log is another one: ask for it, not all nodes at the same moment.
void Agent::hear_of(Epoch epoch, Seq head, Duration spread, Moment now) {
    if (epoch != heard_epoch_) head_ = Seq{};
    heard_epoch_ = epoch;
    head_ = std::max(head_, head);
    if (!caught_up() && head_ > Seq{}) link_.gap(now.point, spread);
}

// ---- pages ----

void Agent::on_message(LogPage const& message, Moment now) {
    if (!std::exchange(sync_owed_, false)) return;
    link_.no_gap();
    if (!follows(message.epoch)) return;  // the next HEAD tells of what there is now
    link_.useful(now.point);
    hear_of(message.epoch, message.head, Duration::zero(), now);
    link_.no_gap();
    if (message.from <= state_.cursor.seq) record(message.epoch, message.entries, now);
    testify(message.head);
    bool const progress = !message.entries.empty() && state_.cursor.seq >= message.entries.back().seq;
    if (progress && !caught_up()) link_.gap(now.point, Duration::zero());  // the next page; else the next HEAD tells
}

void Agent::on_message(Snapshot const& message, Moment now) {
    if (!std::exchange(sync_owed_, false)) return;
    link_.no_gap();
    if (!message.after) snapshot_ = TakingSnapshot{message.epoch, message.head, std::nullopt};
    bool const fits = snapshot_ && snapshot_->epoch == message.epoch && snapshot_->rest == message.after &&
                      (!message.rest || is_behind(message.after, *message.rest));
    if (!fits) {  // the log was renewed between two pages: begin anew
        snapshot_.reset();
        return link_.gap(now.point, spread_);
    }
    link_.useful(now.point);
    Taken taken;
    take_snapshot_page(message, taken, now);
    snapshot_->rest = message.rest;
    if (message.rest) {
        link_.gap(now.point, Duration::zero());
    } else {
        if (state_.cursor.epoch != snapshot_->epoch && state_.cursor.epoch != Epoch{}) {
            say(LogLevel::warn, fmt::format("the broker's log goes on as epoch {:x}, from release {}", snapshot_->epoch.value,
                                            snapshot_->head.value));
        }
        state_.cursor = {snapshot_->epoch, snapshot_->head};
        snapshot_.reset();
        hear_of(message.epoch, message.head, Duration::zero(), now);
    }
    commit(std::move(taken));
}

// Of another log: all is reported again, because its ledger is as old as it is.
void Agent::take_snapshot_page(Snapshot const& message, Taken& taken, Moment now) {
    for (auto const& entry : message.entries) record_entry(entry, taken, now);
    if (message.epoch == state_.cursor.epoch || state_.cursor.epoch == Epoch{}) return;
    stay_ahead(message, taken);
}

// What a restored log does not have, or has only in an older release, stays as it is: a node never goes back by itself.
void Agent::stay_ahead(Snapshot const& message, Taken& taken) {
    std::map<Seq, Envelope const*> offered;
    for (auto const& entry : message.entries) offered[entry.seq] = &entry.update;
    for (auto const& [software, record] : state_.software) {
        if (!is_behind(message.after, software) || (message.rest && *message.rest < software)) continue;
        if (taken.fresh.contains(software)) continue;
        taken.again.insert(software);
        auto const same = offered.find(record.entry.seq);
        if (same != offered.end() && *same->second == record.entry.update) continue;
        say(LogLevel::warn, fmt::format("{} {} (release {}) is not in the broker's log, which was restored from an older copy: it stays "
                                        "until a newer release is published", software.text(), work_.at(software).info.version.text(),
                                        record.entry.seq.value));
    }
}

// Shows the broker a release that its log ends before, though it announced it: then it was restored from an older copy.
void Agent::testify(Seq head) {
    if (testified_ || head >= recorded_.seq) return;
    LogEntry const* last = nullptr;
    for (auto const& [software, record] : state_.software) {
        if (record.entry.seq > head && (last == nullptr || record.entry.seq > last->seq)) last = &record.entry;
    }
    if (last == nullptr) return;
    testified_ = true;
    send(Witness{state_.cursor.epoch, *last});
}

// The broker has not heard that we have it, or we don't: it was for groups, or for a later version of lull, when it came.
void Agent::on_message(Update const& message, Moment now) {
    if (message.epoch != state_.cursor.epoch || message.entry.seq > state_.cursor.seq) return announced(message, now);
    Taken taken;
    record_entry(message.entry, taken, now);
    for (auto const& [software, record] : state_.software) {
        if (record.entry.seq == message.entry.seq && !taken.fresh.contains(software) && !state_.outbox.contains(software)) {
            taken.again.insert(software);
        }
    }
    commit(std::move(taken));
}

// ---- recording ----

// Entries that follow the cursor become durable: cursor and records in one batch, before anything else happens with them.
void Agent::record(Epoch epoch, std::vector<LogEntry> const& entries, Moment now) {
    Taken taken;
    auto const before = state_.cursor;
    for (auto const& entry : entries) {
        if (entry.seq <= state_.cursor.seq) continue;        // known already
        if (entry.prev > state_.cursor.seq) break;           // a gap: the rest is asked for
        record_entry(entry, taken, now);
        state_.cursor = {epoch, entry.seq};
    }
    if (caught_up()) link_.no_gap();
    if (state_.cursor != before) commit(std::move(taken));
}

void Agent::commit(Taken taken) {
    store::Batch batch;
    std::map<SoftwareName, std::uint64_t> revisions;
    for (auto const& [software, seq] : taken.fresh) revisions[software] = report(software, batch);
    for (auto const& software : taken.again) revisions[software] = report(software, batch);
    if (state_.cursor != recorded_) batch.push_back(journal::put(state_.cursor));
    if (batch.empty()) return;
    persist(std::move(batch), [this, fresh = std::move(taken.fresh), revisions = std::move(revisions), cursor = state_.cursor](Moment now) {
        recorded_ = cursor;
        for (auto const& [software, revision] : revisions) mark_saved(software, revision);
        for (auto const& [software, seq] : fresh) {
            if (state_.software.at(software).entry.seq != seq) continue;  // superseded meanwhile: that batch is to come
            work_.at(software).recorded = true;
            say(LogLevel::info, fmt::format("recorded release {} ({} {}) at {} us", seq.value, software.text(),
                                            work_.at(software).info.version.text(), now.wall.micros));
            pursue(software, now);
        }
    });
}

// What is recorded is not trusted yet: pursue_plan() asks for the signature before anything is done with it.
void Agent::record_entry(LogEntry const& entry, Taken& taken, Moment now) {
    auto info = decode_update_info(entry.update.payload);
    if (!info) {
        return say(LogLevel::error, fmt::format("release {} is not for this version of lull: {}", entry.seq.value, info.error().message));
    }
    if (!info->groups.empty()) return;  // it is for groups, and this node is in none
    auto const software = info->software;
    if (auto const known = state_.software.find(software); known != state_.software.end()) {
        if (entry.seq <= known->second.entry.seq) return;  // a node never goes back
        if (known->second.phase != Phase::active) {
            say(LogLevel::info, fmt::format("{} {} is superseded by {}", software.text(), work_.at(software).info.version.text(),
                                            info->version.text()));
        }
        // Somebody who waits for the lock must not wait until the newer one is here.
        bool const holds = known->second.phase == Phase::waiting || known->second.phase == Phase::switching;
        if (holds && !work_.at(software).busy) out_.push_back(LetGo{software});
    }
    auto const [known_record, first] = state_.software.try_emplace(software);
    auto& record = known_record->second;
    // A journal that was lost must not make the node's reports look older than those of the journal before.
    if (first) record.revision = static_cast<std::uint64_t>(std::max<std::int64_t>(0, now.wall.micros));
    record.entry = entry;
    record.phase = Phase::announced;
    record.since = now.wall;
    record.why.clear();
    record.holders.clear();
    record.failures = 0;
    record.staged.reset();
    record.trials.reset();
    record.waited.reset();
    auto& work = work_[software];
    work.info = std::move(*info);
    work.recorded = false;
    work.patch = {};
    work.plan.reset();
    work.retry.reset();
    work.mending = false;
    work.kept_is_useless = false;
    work.asked_to_end = false;
    work.hooks_run = 0;
    work.look_again.reset();
    work.end_again.reset();
    work.waiting_since.reset();
    work.told_at.reset();
    fetcher_.unwant(software);
    taken.fresh[software] = entry.seq;
}

}  // namespace lull::subscriber
