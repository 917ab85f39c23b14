#pragma once

#include <map>
#include <set>

#include "subscriber/agent/effects.hpp"
#include "subscriber/agent/order_inbox.hpp"
#include "subscriber/agent/session.hpp"
#include "subscriber/model/records.hpp"

namespace lull::subscriber {

// A release of the log, decoded; not trusted yet.
struct Announced {
    LogEntry entry;
    UpdateInfo info;
};

// The newest recorded release of a software.
struct KnownRelease {
    LogEntry const& entry;
    VersionName const& version;
    bool report_pending = false;  // the broker has not acknowledged the last report
};
using KnownReleases = std::map<SoftwareName, KnownRelease>;

// What becomes durable in one batch, together with the cursor, before anything else is done with it.
struct Recording {
    std::map<SoftwareName, Announced> fresh;  // newer releases than were known
    std::set<SoftwareName> again;             // to be reported once more
};

// How far this node has followed the broker's log, and how it catches up: by announcements, by pages of the log, or by
// a snapshot. Nothing comes back from a call that brings nothing to record.
class LogFollower {
public:
    LogFollower(Cursor cursor, Effects& effects, Session& session)
        : effects_(effects),
          session_(session),
          cursor_(cursor),
          recorded_(cursor) {}

    using Outcome = std::optional<Recording>;
    [[nodiscard]] Outcome announced(Update const& message, KnownReleases const& known, Moment now);
    [[nodiscard]] Outcome heard(Update const& message, KnownReleases const& known, Moment now);
    [[nodiscard]] Outcome heard(LogPage const& message, KnownReleases const& known, Moment now);
    [[nodiscard]] Outcome heard(Snapshot const& message, KnownReleases const& known, Moment now);
    // `orders`: the revision of the orders for all nodes that are known here.
    void heard(Head const& message, std::uint64_t orders, Moment now);
    void welcomed(Welcome const& message, KnownReleases const& known, Moment now);

    // Asks for what is missing, unless the answer to that is still to come.
    void ask(OrderInbox::Revisions orders, Moment now);
    // The answer did not come: what was asked for is asked for again.
    void answer_lost();
    [[nodiscard]] bool answer_owed() const { return sync_owed_; }

    [[nodiscard]] Cursor const& cursor() const { return cursor_; }
    [[nodiscard]] Cursor const& recorded() const { return recorded_; }  // the durable one
    void record(Cursor const& cursor) { recorded_ = cursor; }
    [[nodiscard]] Duration spread() const { return spread_; }

private:
    // The cursor moves only with the last page, to where the log was when the first page was made.
    struct TakingSnapshot {
        Epoch epoch;
        Seq head;
        std::optional<SoftwareName> rest;
    };

    void hear_of(Epoch epoch, Seq head, Duration spread, Moment now);
    [[nodiscard]] bool follows(Epoch epoch) const;
    [[nodiscard]] bool caught_up() const { return cursor_.epoch == heard_epoch_ && cursor_.seq >= head_; }
    [[nodiscard]] Outcome follow(Epoch epoch, std::vector<LogEntry> const& entries, KnownReleases const& known);
    void add(LogEntry const& entry, KnownReleases const& known, Recording& recording);
    void stay_ahead(Snapshot const& message, KnownReleases const& known, Recording& recording);
    void end_snapshot(Snapshot const& message, Moment now);
    void testify(Seq head, KnownReleases const& known);

    Effects& effects_;
    Session& session_;
    Cursor cursor_;
    Cursor recorded_;
    Duration spread_{};                       // from the last HEAD
    Epoch heard_epoch_;                       // of the log that was heard of last
    Seq head_;                                // the highest of it that was heard of
    std::optional<Seq> low_head_;             // the last one that was announced and lies before the cursor
    std::optional<TakingSnapshot> snapshot_;  // of this session, while it is being taken
    bool testified_ = false;                  // WITNESS was sent in this session
    bool sync_owed_ = false;                  // SYNC was sent in this session and LOG has not come
};

}  // namespace lull::subscriber
