#pragma once

#include <map>
#include <optional>
#include <vector>

#include "schema/messages.hpp"
#include "schema/order.hpp"
#include "subscriber/model/phases.hpp"

// What the journal holds: one struct a table (store/FORMAT.md describes them).

namespace lull::subscriber {

// How far this node has recorded the broker's log. Table `meta`, key "cursor"; changes only together with the
// records of the releases that it passes.
struct Cursor {
    Epoch epoch;
    Seq seq;
    static void describe(auto& self, auto& visit) {
        visit("e", self.epoch);
        visit("s", self.seq);
    }
    bool operator==(Cursor const&) const = default;
};

// A release by its place and version; the software is the key of the record.
struct ReleaseRef {
    Seq seq;
    VersionName version;
    static void describe(auto& self, auto& visit) {
        visit("q", self.seq);
        visit("v", self.version);
    }
    bool operator==(ReleaseRef const&) const = default;
};

// Table `software`, key: name. The newest release that was announced and how far it has come, and what is installed.
struct SoftwareRecord {
    LogEntry entry;  // as it was announced and signed
    Phase phase = Phase::announced;
    WallTime since;  // of the phase
    std::string why;
    std::vector<Holder> holders;         // the users that keep it waiting, and when they were notified
    std::uint64_t failures = 0;          // in a row, of this release
    std::optional<ReleaseRef> active;    // what `current` points to
    std::optional<ReleaseRef> previous;  // what it pointed to before
    std::uint64_t revision = 0;          // of the last report; never falls
    std::optional<WallTime> staged{};    // when the newest release was staged first
    std::optional<ReleaseRef> proven{};  // the last one that was shown to work here
    std::optional<bool> ended{};         // its users, or services, were ended for the switch and not yet started again
    std::optional<std::uint64_t> trials{};  // of the newest release: how often it was looked at whether it works
    std::optional<std::uint64_t> waited{};  // for users of the one before it: microseconds, while the daemon ran
    std::optional<WallTime> retried{};      // `since` of the last order to try the newest release again that was obeyed
    std::optional<std::string> held{};      // the hold, given on this node, that the last report named
    std::optional<std::string> room{};      // why fewer versions are kept than usual: their room was needed

    static void describe(auto& self, auto& visit) {
        visit("e", self.entry);
        visit("p", self.phase);
        visit("i", self.since);
        visit("w", self.why);
        visit("h", self.holders);
        visit("f", self.failures);
        visit("a", self.active);
        visit("b", self.previous);
        visit("r", self.revision);
        visit("s", self.staged);
        visit("k", self.proven);
        visit("u", self.ended);
        visit("t", self.trials);
        visit("d", self.waited);
        visit("y", self.retried);
        visit("l", self.held);
        visit("m", self.room);
    }
};

// Table `objects`, key: digest. Stored bytes of an object in incoming/ that are durable.
struct ObjectRecord {
    ObjectShape shape;
    Bytes durable{};
    bool complete = false;  // all there, and its digest matches
    static void describe(auto& self, auto& visit) {
        visit("h", self.shape);
        visit("d", self.durable);
        visit("c", self.complete);
    }
    bool operator==(ObjectRecord const&) const = default;
};

// Table `scans`, key: name. What the scans of the installed trees of a software have found.
struct ScanRecord {
    WallTime looked;                      // when it was looked at last
    WallTime read;                        // when all of it was read last
    std::uint64_t repaired = 0;           // paths that had changed and were put right, ever
    std::uint64_t left = 0;               // paths that could not be put right, at the last scan
    WallTime changed;                     // when something was found last
    std::string what;                     // an example of it, and what stands in the way
    std::optional<std::string> strays{};  // in the trees, no part of a release, and not moved; with the reasons
    static void describe(auto& self, auto& visit) {
        visit("l", self.looked);
        visit("r", self.read);
        visit("m", self.repaired);
        visit("u", self.left);
        visit("c", self.changed);
        visit("w", self.what);
        visit("s", self.strays);
    }
    bool operator==(ScanRecord const&) const = default;
};

// Everything that the agent knows for good.
struct JournalState {
    Cursor cursor;
    std::string boot;  // table `meta`, key "boot": id of the machine's start in which the journal was opened last
    std::map<SoftwareName, SoftwareRecord> software;
    std::map<SoftwareName, Report> outbox;  // table `outbox`, key: name; the last report that the broker has not noted
    std::map<Digest, ObjectRecord> objects;
    std::map<SoftwareName, ScanRecord> scans;
    OrderSet orders;      // table `meta`, key "orders": for all nodes
    OrderSet own_orders;  // table `meta`, key "own orders": for this one
};

}  // namespace lull::subscriber
