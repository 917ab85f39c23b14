#include "subscriber/install/scanner.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/clock.hpp"
#include "subscriber/disk/manifest_files.hpp"
#include "subscriber/install/lost_found.hpp"
#include "subscriber/install/switch_current.hpp"

namespace lull::subscriber {

namespace {

constexpr int most_rounds = 3;  // of comparing and repairing: a directory's mode may have hidden what is in it
constexpr int lowest_nice = 19;
constexpr int idle_io = 3 << 13;  // IOPRIO_CLASS_IDLE of ioprio_set(2), which has no header

// Priorities of Linux belong to threads. Without them everything works as well, only less quietly.
void be_quiet() {
    (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), lowest_nice);
    (void)syscall(SYS_ioprio_set, 1, 0, idle_io);
}

void save_changed_marks(Layout const& layout, ReleaseId const& release, TreeMarks const& marks,
                        std::vector<FileMark> const& known) {
    if (marks.marks != known)
        (void)save_marks(layout, release, marks);  // without them everything is read the next time
}

std::vector<std::string> take_extra(std::vector<Difference>& differences) {
    std::vector<std::string> paths;
    std::erase_if(differences, [&](Difference const& difference) {
        if (difference.kind == DifferenceKind::extra) paths.push_back(difference.path);
        return difference.kind == DifferenceKind::extra;
    });
    return paths;
}

}  // namespace

Scanner::Scanner(EventLoop& loop, Layout const& layout, ScannerSettings settings, TreeAccess& access, Tell tell)
    : layout_(layout),
      settings_(std::move(settings)),
      access_(access),
      tell_(std::move(tell)),
      worker_(loop, 1) {}

void Scanner::scan(ScanTrees const& order) {
    auto const stop = scans_.insert_or_assign(order.software, std::stop_source()).first->second.get_token();
    worker_.submit(
        [this, order, stop] {
            be_quiet();
            auto const turn = access_.take_when_idle(stop);
            return turn ? scan_trees({order, stop}) : TreesScanned{order.software, order.read_all, true, {}, {}, {}};
        },
        [this](TreesScanned outcome) { tell_(std::move(outcome)); });
}

void Scanner::cancel(SoftwareName const& software) {
    if (auto const found = scans_.find(software); found != scans_.end()) found->second.request_stop();
}

void Scanner::stop() {
    for (auto& [software, stop] : scans_) stop.request_stop();
}

bool Scanner::has_to_end(Scan const& scan) const { return access_.wanted() || scan.stop.stop_requested(); }

TreesScanned Scanner::scan_trees(Scan const& scan) const {
    auto const& order = scan.order;
    TreesScanned outcome{order.software, order.read_all, false, {}, {}, {}};
    for (auto const& release : order.releases) {
        outcome.trees.push_back(scan_tree(release, scan));
        outcome.interrupted = has_to_end(scan);
        if (outcome.interrupted) return outcome;
    }
    if (settings_.strays == Strays::move) outcome.deleted = trim_lost(layout_, order.software, SystemClock().wall());
    if (is_current_mismatched(order, outcome)) outcome.current_mismatch = order.active;
    return outcome;
}

TreeFindings Scanner::scan_tree(ReleaseId const& release, Scan const& scan) const {
    TreeFindings findings{release, 0, 0, "", {}, {}, {}, {}};
    auto const envelope = read_file(layout_.manifest(release), limits::envelope);
    auto const manifest = envelope ? load_manifest(layout_, release, settings_.trusted)
                                   : Result<Manifest>(pass(envelope.error()));
    if (!manifest) {
        findings.status = pass(manifest.error());
        return findings;
    }
    auto const digest = sha256(*envelope);
    auto marks = load_marks(layout_, release, digest, manifest->entries.size());
    auto known = marks ? std::move(marks->marks) : std::vector<FileMark>();
    ReadStep const step = [this, &scan](Bytes) { return !has_to_end(scan); };
    TreeLook const first{scan.order.read_all ? std::vector<FileMark>() : known, SystemClock().wall(), step};
    auto seen = look_at_tree(layout_.tree(release), *manifest, first);
    if (seen && settings_.strays == Strays::move) take_strays(release, *seen, findings);
    if (seen && !seen->differences.empty()) {
        seen = repair({release, *manifest, scan.order.objects, settings_.reserve, step}, std::move(*seen), findings);
    }
    if (!seen) {
        findings.status = pass(seen.error());
        return findings;
    }
    findings.repaired += findings.moved.size();
    if (!findings.moved.empty() && findings.example.empty())
        findings.example = fmt::format("{}: not part of the release", findings.moved.front());
    findings.left = seen->differences.size();
    if (!has_to_end(scan)) save_changed_marks(layout_, release, {digest, std::move(seen->marks)}, known);
    return findings;
}

// Strays are no difference any more: they are moved, or stay.
void Scanner::take_strays(ReleaseId const& release, TreeSeen& seen, TreeFindings& findings) const {
    auto const paths = take_extra(seen.differences);
    if (paths.empty()) return;
    auto outcome = move_strays(layout_, release, paths, SystemClock().wall());
    findings.moved = std::move(outcome.moved);
    findings.kept = std::move(outcome.kept);
}

// Repairs and compares again, as long as that brings something.
Result<TreeSeen> Scanner::repair(RepairJob const& job, TreeSeen seen, TreeFindings& findings) const {
    findings.example = to_text(seen.differences.front());
    for (int round = 0; round < most_rounds && !seen.differences.empty() && job.step(Bytes()); ++round) {
        auto repaired = repair_tree(job, seen.differences, layout_);
        findings.status = std::move(repaired.status);
        findings.lacking = std::move(repaired.lacking);
        auto again = look_at_tree(layout_.tree(job.release), job.manifest,
                                  {std::move(seen.marks), SystemClock().wall(), job.step});
        if (!again) return again;
        if (settings_.strays == Strays::move) static_cast<void>(take_extra(again->differences));
        auto const before = seen.differences.size();
        findings.repaired += before - std::min(before, again->differences.size());
        bool const stuck = again->differences == seen.differences;
        seen = std::move(*again);
        if (stuck) break;
    }
    if (!seen.differences.empty()) findings.example = to_text(seen.differences.front());
    return seen;
}

// Whether `current` points elsewhere, or nowhere, and the active tree is whole, so that it may point there again.
// Another release may have become active since the order was given: so this changes nothing.
bool Scanner::is_current_mismatched(ScanTrees const& order, TreesScanned const& outcome) const {
    if (!order.active) return false;
    auto const current = layout_.current(order.software);
    if (current && *current == order.active) return false;
    auto const active = std::ranges::find(outcome.trees, *order.active, &TreeFindings::release);
    return active != outcome.trees.end() && active->status && active->left == 0;
}

}  // namespace lull::subscriber
