#include "subscriber/agent/log_follower.hpp"

#include <algorithm>

namespace lull::subscriber {

namespace {

bool is_behind(std::optional<SoftwareName> const& from, SoftwareName const& name) { return !from || *from < name; }

}  // namespace

LogFollower::Outcome LogFollower::announced(Update const& message, KnownReleases const& known, Moment now) {
    hear_of(message.epoch, message.entry.seq, spread_, now);
    if (!follows(message.epoch) || message.entry.prev > cursor_.seq) return std::nullopt;
    return follow(message.epoch, {message.entry}, known);
}

// Whether the cursor lies in this log. A node that has recorded nothing yet follows any.
bool LogFollower::follows(Epoch epoch) const { return epoch == cursor_.epoch || cursor_ == Cursor{}; }

void LogFollower::heard(Head const& message, std::uint64_t orders, Moment now) {
    spread_ = std::chrono::milliseconds(std::min<std::uint64_t>(message.spread, 600'000));
    hear_of(message.epoch, message.head, spread_, now);
    if (message.orders.value_or(0) != orders) session_.gap(now, spread_);
    // A log that ends before the cursor has lost releases: the node shows them to the broker, once for each such head.
    if (message.epoch != recorded_.epoch || message.head >= recorded_.seq || low_head_ == message.head) return;
    low_head_ = message.head;
    session_.gap(now, spread_);
}

// If something was missed, or the log is another one, the node asks for it, not all nodes at the same moment.
void LogFollower::hear_of(Epoch epoch, Seq head, Duration spread, Moment now) {
    if (epoch != heard_epoch_) head_ = Seq{};
    heard_epoch_ = epoch;
    head_ = std::max(head_, head);
    if (!caught_up() && head_ > Seq{}) session_.gap(now, spread);
}

void LogFollower::welcomed(Welcome const& message, KnownReleases const& known, Moment now) {
    answer_lost();
    testified_ = false;
    hear_of(message.epoch, message.head, Duration::zero(), now);
    if (message.epoch == cursor_.epoch) testify(message.head, known);
}

// ---- asking ----

void LogFollower::ask(OrderInbox::Revisions orders, Moment now) {
    if (std::exchange(sync_owed_, true)) return;
    session_.ask(Sync{cursor_.epoch, cursor_.seq, snapshot_ ? snapshot_->rest : std::nullopt, orders.all, orders.own},
                 now);
}

void LogFollower::answer_lost() {
    sync_owed_ = false;
    snapshot_.reset();
}

// ---- pages ----

LogFollower::Outcome LogFollower::heard(LogPage const& message, KnownReleases const& known, Moment now) {
    if (!std::exchange(sync_owed_, false)) return std::nullopt;
    session_.no_gap();
    if (!follows(message.epoch)) return std::nullopt;  // the next HEAD shows what there is now
    session_.useful(now);
    hear_of(message.epoch, message.head, Duration::zero(), now);
    session_.no_gap();
    Outcome recording;
    if (message.from <= cursor_.seq) recording = follow(message.epoch, message.entries, known);
    testify(message.head, known);
    bool const progress = !message.entries.empty() && cursor_.seq >= message.entries.back().seq;
    if (progress && !caught_up()) session_.gap(now, Duration::zero());  // the next page; else the next HEAD shows it
    return recording;
}

LogFollower::Outcome LogFollower::heard(Snapshot const& message, KnownReleases const& known, Moment now) {
    if (!std::exchange(sync_owed_, false)) return std::nullopt;
    session_.no_gap();
    if (!message.after) snapshot_ = TakingSnapshot{message.epoch, message.head, std::nullopt};
    bool const fits = snapshot_ && snapshot_->epoch == message.epoch && snapshot_->rest == message.after &&
                      (!message.rest || is_behind(message.after, *message.rest));
    if (!fits) {  // the log was renewed between two pages: begin anew
        snapshot_.reset();
        session_.gap(now, spread_);
        return std::nullopt;
    }
    session_.useful(now);
    Recording recording;
    for (auto const& entry : message.entries) add(entry, known, recording);
    bool const other_log = message.epoch != cursor_.epoch && cursor_.epoch != Epoch{};
    if (other_log) stay_ahead(message, known, recording);
    snapshot_->rest = message.rest;
    if (message.rest) {
        session_.gap(now, Duration::zero());
    } else {
        end_snapshot(message, now);
    }
    return recording;
}

void LogFollower::end_snapshot(Snapshot const& message, Moment now) {
    if (cursor_.epoch != snapshot_->epoch && cursor_.epoch != Epoch{}) {
        effects_.log(LogLevel::warn, fmt::format("the broker's log continues as epoch {:x}, from release {}",
                                                 snapshot_->epoch.value, snapshot_->head.value));
    }
    cursor_ = {snapshot_->epoch, snapshot_->head};
    snapshot_.reset();
    hear_of(message.epoch, message.head, Duration::zero(), now);
}

// What a restored log does not have, or has only in an older release, stays as it is: a node never goes back by itself.
// All of it is reported again, because the broker's table of nodes is as old as its log.
void LogFollower::stay_ahead(Snapshot const& message, KnownReleases const& known, Recording& recording) {
    std::map<Seq, Envelope const*> offered;
    for (auto const& entry : message.entries) offered[entry.seq] = &entry.update;
    for (auto const& [software, release] : known) {
        if (!is_behind(message.after, software) || (message.rest && *message.rest < software)) continue;
        if (recording.fresh.contains(software)) continue;
        recording.again.insert(software);
        auto const same = offered.find(release.entry.seq);
        if (same != offered.end() && *same->second == release.entry.update) continue;
        effects_.log(LogLevel::warn,
                     fmt::format("{} {} (release {}) is not in the broker's log, which was restored from an older "
                                 "copy: it stays until a newer release is published",
                                 software.text(), release.version.text(), release.entry.seq.value));
    }
}

// Shows the broker a release that its log ends before, though the broker announced it: its log was restored from an
// older copy.
void LogFollower::testify(Seq head, KnownReleases const& known) {
    if (testified_ || head >= recorded_.seq) return;
    LogEntry const* last = nullptr;
    for (auto const& [software, release] : known) {
        if (release.entry.seq > head && (last == nullptr || release.entry.seq > last->seq)) last = &release.entry;
    }
    if (last == nullptr) return;
    testified_ = true;
    effects_.send(Witness{cursor_.epoch, *last});
}

// The broker has no report of this release. Either the report was lost, or the node does not have the release: when it
// was announced, it was for groups, or for a later version of lull.
LogFollower::Outcome LogFollower::heard(Update const& message, KnownReleases const& known, Moment now) {
    if (message.epoch != cursor_.epoch || message.entry.seq > cursor_.seq) return announced(message, known, now);
    Recording recording;
    add(message.entry, known, recording);
    for (auto const& [software, release] : known) {
        bool const meant = release.entry.seq == message.entry.seq && !recording.fresh.contains(software);
        if (meant && !release.report_pending) recording.again.insert(software);
    }
    if (recording.fresh.empty() && recording.again.empty()) return std::nullopt;
    return recording;
}

// ---- recording ----

LogFollower::Outcome LogFollower::follow(Epoch epoch, std::vector<LogEntry> const& entries,
                                         KnownReleases const& known) {
    Recording recording;
    auto const before = cursor_;
    for (auto const& entry : entries) {
        if (entry.seq <= cursor_.seq) continue;  // known already
        if (entry.prev > cursor_.seq) break;     // a gap: the rest is asked for
        add(entry, known, recording);
        cursor_ = {epoch, entry.seq};
    }
    if (caught_up()) session_.no_gap();
    if (cursor_ == before) return std::nullopt;
    return recording;
}

// What is recorded is not trusted yet: Acquisition checks the signature before anything is done with it.
void LogFollower::add(LogEntry const& entry, KnownReleases const& known, Recording& recording) {
    auto info = decode_update_info(entry.update.payload);
    if (!info) {
        return effects_.log(LogLevel::error, fmt::format("release {} is not for this version of lull: {}",
                                                         entry.seq.value, info.error().message));
    }
    if (!info->groups.empty()) return;  // it is for groups, and this node is in none
    auto const software = info->software;
    auto const older = known.find(software);
    if (older != known.end() && entry.seq <= older->second.entry.seq) return;  // a node never goes back
    if (auto const first = recording.fresh.find(software);
        first != recording.fresh.end() && entry.seq <= first->second.entry.seq)
        return;
    recording.fresh.insert_or_assign(software, Announced{entry, std::move(*info)});
}

}  // namespace lull::subscriber
