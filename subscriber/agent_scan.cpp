#include <algorithm>

#include "subscriber/agent.hpp"

// How the agent looks after what is installed: when trees are looked at, and what becomes of what was found.

namespace lull::subscriber {

namespace {

// What the operator's table says of a release that is active.
std::string text_of(ScanRecord const& record) {
    if (record.left > 0) return fmt::format("{} paths differ from what was signed: {}", record.left, record.what);
    if (record.changed == WallTime{}) return {};
    return fmt::format("had changed on the disk and was put right at {}: {}", to_text(record.changed), record.what);
}

// Staged, and not yet live.
bool is_ready(SoftwareRecord const& record) {
    switch (record.phase) {
        case Phase::staged:
        case Phase::waiting:
        case Phase::in_line: return true;
        case Phase::held: return record.staged.has_value();  // else it was withdrawn before
        default: return false;
    }
}

bool is_switching(Phase phase) { return phase == Phase::switching || phase == Phase::rolling_back; }

}  // namespace

// Between three quarters and five quarters of the interval, so that a fleet does not read its disks at one moment.
Duration Agent::scan_jitter() {
    auto const quarter = settings_.scan.count() / 4;
    return Duration(std::uniform_int_distribution<std::int64_t>(3 * quarter, 5 * quarter)(random_));
}

void Agent::scan_due(Moment now) {
    if (!next_scan_) next_scan_ = now.point + scan_jitter();
    if (now.point < *next_scan_) return;
    next_scan_ = now.point + scan_jitter();
    for (auto const& [software, record] : state_.software) scan(software, now);
}

// Not while something else is being done with the trees: the next time will do.
void Agent::scan(SoftwareName const& software, Moment now) {
    auto const& record = state_.software.at(software);
    auto& work = work_.at(software);
    if (work.busy || work.scanning || !work.recorded || is_switching(record.phase)) return;
    std::vector<ReleaseId> releases;
    auto const active = active_of(software);
    if (active) releases.push_back(*active);
    if (auto const& previous = record.previous; previous && previous != record.active) {
        releases.push_back({software, previous->seq, previous->version});
    }
    if (is_ready(record)) releases.push_back(target_of(software));
    if (releases.empty()) return;
    auto const& last = state_.scans[software];
    // A clock that was set back must not put it off for years.
    auto const age = std::chrono::microseconds(now.wall.micros - last.read.micros);
    bool const read_all = age >= settings_.read_all || age.count() < 0;
    work.scanning = true;
    out_.push_back(ScanTrees{software, active, std::move(releases), fetcher_.shapes(software), read_all});
}

void Agent::on_event(TreesScanned event, Moment now) {
    auto const& software = event.software;
    work_.at(software).scanning = false;
    if (event.interrupted) return;
    auto& record = state_.scans[software];
    record.looked = now.wall;
    if (event.read_all) record.read = now.wall;
    record.left = 0;
    if (event.astray && event.astray == active_of(software) && !is_switching(state_.software.at(software).phase)) {
        ++record.mended;
        record.changed = now.wall;
        record.what = "current pointed elsewhere";
        say(LogLevel::warn, fmt::format("{}: `current` pointed elsewhere and is put right", software.text()));
        out_.push_back(PointBack{*event.astray});
    }
    for (auto const& findings : event.trees) take_findings(software, findings, record, now);
    persist({journal::put(software, record)}, [](Moment) {});
    auto& installed = state_.software.at(software);
    if (installed.phase != Phase::active) return;
    clean_up(software);  // what could not be removed before, or was in use
    if (installed.why == text_of(record)) return;
    installed.why = text_of(record);
    save(software, [](Moment) {});
}

void Agent::take_findings(SoftwareName const& software, TreeFindings const& findings, ScanRecord& record, Moment now) {
    auto const& release = findings.release;
    bool const found = findings.mended > 0 || findings.left > 0 || !findings.status;
    bool const is_active = active_of(software) == release;
    if (is_active && findings.left == 0 && findings.status) end_mending(software);
    if (!found) return;
    record.changed = now.wall;
    record.mended += findings.mended;
    record.left += findings.left;
    record.what = findings.example;
    if (!findings.status) record.what += (record.what.empty() ? "" : "; ") + findings.status.error().message;
    say(LogLevel::warn, fmt::format("{} {}: {} paths had changed and were put right, {} still differ: {}", software.text(),
                                    release.directory_name(), findings.mended, findings.left, record.what));
    auto const fault = findings.status ? Fault::failed : findings.status.error().fault;
    bool const lost = fault == Fault::not_found || fault == Fault::damaged;
    auto const& of_software = state_.software.at(software);
    auto const phase = of_software.phase;
    bool const is_kept = is_active && ((phase == Phase::active && is_target(release)) || phase == Phase::rolled_back);
    if (is_kept && !lost && !findings.lacking.empty()) return mend_active(software, findings, now);
    bool const is_needed = is_kept || (is_target(release) && is_ready(of_software));
    if (is_needed && (lost || !findings.lacking.empty())) tree_is_lost(software, findings, now);
}

// Fetches what this disk does not have; when it is here, the next look puts it in place.
void Agent::mend_active(SoftwareName const& software, TreeFindings const& findings, Moment) {
    auto& work = work_.at(software);
    end_mending(software);
    for (auto const& segment : findings.lacking) fetcher_.want(findings.release, segment.digest, segment.size);
    work.mending = true;
    say(LogLevel::info, fmt::format("{}: fetching {} segments to put it right", software.text(), findings.lacking.size()));
}

void Agent::end_mending(SoftwareName const& software) {
    auto& work = work_.at(software);
    if (!std::exchange(work.mending, false)) return;
    fetcher_.unwant(software);
    collect_garbage();
}

// It is installed again; one that the node had gone back to cannot be, so that the newest gets another try. What ran from it goes on with the files that it has open.
void Agent::tree_is_lost(SoftwareName const& software, TreeFindings const& findings, Moment now) {
    auto& record = state_.software.at(software);
    auto& work = work_.at(software);
    if (work.busy) return;  // the next look finds it again
    auto const why = findings.status ? findings.example : findings.status.error().message;
    end_mending(software);
    if (record.phase == Phase::waiting) out_.push_back(LetGo{software});
    if (!move(software, Happening::tree_lost, why, now)) return;
    ReleaseRef const lost{findings.release.seq, findings.release.version};
    for (auto* known : {&record.active, &record.previous, &record.proven}) {
        if (*known == lost) known->reset();
    }
    work.patch = {};
    work.plan.reset();
    save(software, [this, software](Moment then) { pursue(software, then); });
}

}  // namespace lull::subscriber
