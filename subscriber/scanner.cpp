#include "subscriber/scanner.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/clock.hpp"
#include "subscriber/activator.hpp"
#include "subscriber/manifest_files.hpp"

namespace lull::subscriber {

namespace {

constexpr int most_rounds = 3;  // of looking and mending: a directory's mode may have hidden what is in it
constexpr int lowest_nice = 19;
constexpr int idle_io = 3 << 13;  // IOPRIO_CLASS_IDLE of ioprio_set(2), which has no header

// Priorities of Linux belong to threads. Without them everything works as well, only less quietly.
void be_quiet() {
    (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), lowest_nice);
    (void)syscall(SYS_ioprio_set, 1, 0, idle_io);
}

void save_changed_marks(Layout const& layout, ReleaseId const& release, TreeMarks const& marks, std::vector<FileMark> const& known) {
    if (marks.marks != known) (void)save_marks(layout, release, marks);  // without them everything is read the next time
}

}  // namespace

Scanner::Scanner(EventLoop& loop, Layout const& layout, ScannerSettings settings, TreeAccess& access, Tell tell)
    : layout_(layout), settings_(std::move(settings)), access_(access), tell_(std::move(tell)), worker_(loop, 1) {}

void Scanner::scan(ScanTrees const& order) {
    worker_.submit(
        [this, order] {
            be_quiet();
            auto const turn = access_.take_when_idle();
            return look(order);
        },
        [this](TreesScanned outcome) { tell_(std::move(outcome)); });
}

ReadStep Scanner::while_idle() const {
    return [this](Bytes) { return !access_.wanted(); };
}

TreesScanned Scanner::look(ScanTrees const& order) const {
    TreesScanned outcome{order.software, order.read_all, false, {}, {}};
    for (auto const& release : order.releases) {
        outcome.trees.push_back(look_at(release, order));
        outcome.interrupted = access_.wanted();
        if (outcome.interrupted) return outcome;
    }
    if (is_astray(order, outcome)) outcome.astray = order.active;
    return outcome;
}

TreeFindings Scanner::look_at(ReleaseId const& release, ScanTrees const& order) const {
    TreeFindings findings{release, 0, 0, "", {}, {}};
    auto const envelope = read_file(layout_.manifest(release), limits::envelope);
    auto const manifest = envelope ? load_manifest(layout_, release, settings_.trusted) : Result<Manifest>(pass(envelope.error()));
    if (!manifest) {
        findings.status = pass(manifest.error());
        return findings;
    }
    auto const digest = sha256(*envelope);
    auto marks = load_marks(layout_, release, digest, manifest->entries.size());
    auto known = marks ? std::move(marks->marks) : std::vector<FileMark>();
    TreeLook const first{order.read_all ? std::vector<FileMark>() : known, SystemClock().wall(), while_idle()};
    auto seen = look_at_tree(layout_.tree(release), *manifest, first);
    if (seen && !seen->differences.empty()) {
        seen = mend({release, *manifest, order.objects, settings_.reserve, while_idle()}, std::move(*seen), findings);
    }
    if (!seen) {
        findings.status = pass(seen.error());
        return findings;
    }
    findings.left = seen->differences.size();
    if (!access_.wanted()) save_changed_marks(layout_, release, {digest, std::move(seen->marks)}, known);
    return findings;
}

// Mends and looks again, as long as that brings something.
Result<TreeSeen> Scanner::mend(MendJob const& job, TreeSeen seen, TreeFindings& findings) const {
    findings.example = to_text(seen.differences.front());
    for (int round = 0; round < most_rounds && !seen.differences.empty() && !access_.wanted(); ++round) {
        auto mended = mend_tree(job, seen.differences, layout_);
        findings.status = std::move(mended.status);
        findings.lacking = std::move(mended.lacking);
        auto again = look_at_tree(layout_.tree(job.release), job.manifest, {std::move(seen.marks), SystemClock().wall(), job.step});
        if (!again) return again;
        auto const before = seen.differences.size();
        findings.mended += before - std::min(before, again->differences.size());
        bool const stuck = again->differences == seen.differences;
        seen = std::move(*again);
        if (stuck) break;
    }
    if (!seen.differences.empty()) findings.example = to_text(seen.differences.front());
    return seen;
}

// Whether `current` points elsewhere, or nowhere, and the active tree is whole, so that it may point there again. Another release may have
// become active since the order was given: so this only looks.
bool Scanner::is_astray(ScanTrees const& order, TreesScanned const& outcome) const {
    if (!order.active) return false;
    auto const current = layout_.current(order.software);
    if (current && *current == order.active) return false;
    auto const active = std::ranges::find(outcome.trees, *order.active, &TreeFindings::release);
    return active != outcome.trees.end() && active->status && active->left == 0;
}

}  // namespace lull::subscriber
