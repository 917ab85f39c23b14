#pragma once

#include <random>

#include "subscriber/agent/target.hpp"

namespace lull::subscriber {

// When the node scans its trees. Between three quarters and five quarters of the interval pass between two scans, so
// that a fleet does not read its disks at one moment.
class ScanSchedule {
public:
    ScanSchedule(Duration interval, std::uint64_t seed) : interval_(interval), random_(seed) {}

    // True: the trees of every software are to be scanned. The first call only sets the time of the first scan.
    [[nodiscard]] bool due(Moment now);
    [[nodiscard]] std::optional<TimePoint> wake() const { return next_; }

private:
    [[nodiscard]] Duration jitter();

    Duration interval_;
    std::mt19937_64 random_;
    std::optional<TimePoint> next_;
};

// Scans of the installed trees of one software, and the repair of what differs from the manifests. Lives as long as
// the software is known.
class TreeCare {
public:
    TreeCare(AgentSettings const& settings, SoftwareName software, Effects& effects, ObjectTransfer& objects,
             std::optional<ScanRecord> record)
        : settings_(settings),
          software_(std::move(software)),
          effects_(effects),
          objects_(objects),
          record_(std::move(record)) {}

    [[nodiscard]] std::optional<ScanRecord> const& record() const { return record_; }

    // What lies on the disk of the software.
    struct Trees {
        std::optional<ReleaseId> active;
        std::optional<ReleaseId> previous;
        std::optional<ReleaseId> ready;    // staged, and not yet live
        std::optional<ReleaseId> repairs;  // the active one, unless bytes of a newer one are on their way
        bool rests = false;                // it is installed again if it is lost: no newer one is to take its place
        bool switching = false;            // `current` is about to change
    };
    // Nothing is scanned while a scan runs, nor during a switch.
    void scan(Trees const& trees, Moment now);
    // Gives the tree that has to be installed again, if there is one.
    [[nodiscard]] std::optional<TreeFindings> on(TreesScanned const& event, Trees const& trees, Moment now);

    // Stops the scan that runs.
    void cancel_scan();

    // What `lull status` shows of it while the release is active.
    [[nodiscard]] std::string text() const;

    // `current` points to another release: what was found concerns the one before.
    void current_changed();
    // Bytes are fetched for the active tree.
    [[nodiscard]] bool repairing() const { return repairing_; }
    void end_repair();
    // A newer release is on its way. Its wants take the place of those of the repair, and its installation that of a
    // scan.
    void superseded();

private:
    void note(TreeFindings const& findings, Moment now);
    void tell_strays(TreesScanned const& event);
    void repair(TreeFindings const& findings);

    AgentSettings const& settings_;
    SoftwareName software_;
    Effects& effects_;
    ObjectTransfer& objects_;
    std::optional<ScanRecord> record_;
    enum class Scan { none, running, cancelled };
    Scan scan_ = Scan::none;
    bool repairing_ = false;
};

}  // namespace lull::subscriber
