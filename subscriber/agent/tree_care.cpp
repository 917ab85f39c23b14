#include "subscriber/agent/tree_care.hpp"

#include "subscriber/journal/journal.hpp"

namespace lull::subscriber {

namespace {

bool differs(TreeFindings const& findings) { return findings.repaired > 0 || findings.left > 0 || !findings.status; }

// For people: the first few.
std::string some_of(std::vector<std::string> const& names) {
    constexpr std::size_t most = 10;
    auto const shown = std::min(most, names.size());
    auto text = fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
    return names.size() > most ? fmt::format("{} and {} more", text, names.size() - most) : text;
}

bool is_lost(TreeFindings const& findings) {
    if (findings.status) return false;
    auto const fault = findings.status.error().fault;
    return fault == Fault::not_found || fault == Fault::damaged;
}

// A version that was deleted after the scan was ordered.
bool is_given_up(TreeFindings const& findings, TreeCare::Trees const& trees) {
    auto const& release = findings.release;
    return is_lost(findings) && trees.active != release && trees.previous != release && trees.ready != release;
}

}  // namespace

Duration ScanSchedule::jitter() {
    auto const quarter = interval_.count() / 4;
    return Duration(std::uniform_int_distribution<std::int64_t>(3 * quarter, 5 * quarter)(random_));
}

bool ScanSchedule::due(Moment now) {
    bool const first = !next_;
    if (!first && now.point < *next_) return false;
    next_ = now.point + jitter();
    return !first;
}

void TreeCare::scan(Trees const& trees, Moment now) {
    if (scan_ != Scan::none || trees.switching) return;
    std::vector<ReleaseId> releases;
    if (trees.active) releases.push_back(*trees.active);
    if (trees.previous && trees.previous != trees.active) releases.push_back(*trees.previous);
    if (trees.ready) releases.push_back(*trees.ready);
    if (releases.empty()) return;
    if (!record_) record_.emplace();
    // A clock that was set back must not put the full scan off for years.
    auto const age = std::chrono::microseconds(now.wall.micros - record_->read.micros);
    bool const read_all = age >= settings_.read_all || age.count() < 0;
    scan_ = Scan::running;
    effects_.perform(
        ScanTrees{software_, trees.active, std::move(releases), objects_.fetcher().shapes(software_), read_all});
}

std::optional<TreeFindings> TreeCare::on(TreesScanned const& event, Trees const& trees, Moment now) {
    scan_ = Scan::none;
    if (event.interrupted) return std::nullopt;
    if (!record_) record_.emplace();
    record_->looked = now.wall;
    if (event.read_all) record_->read = now.wall;
    record_->left = 0;
    if (event.current_mismatch && event.current_mismatch == trees.active && !trees.switching) {
        ++record_->repaired;
        record_->changed = now.wall;
        record_->what = "current pointed elsewhere";
        effects_.log(LogLevel::warn, fmt::format("{}: `current` pointed elsewhere and is put right", software_.text()));
        effects_.perform(PointBack{*event.current_mismatch});
    }
    tell_strays(event);
    std::optional<TreeFindings> lost;
    for (auto const& findings : event.trees) {
        if (trees.active == findings.release && findings.left == 0 && findings.status) end_repair();
        if (!differs(findings) || is_given_up(findings, trees)) continue;
        note(findings, now);
        bool const incomplete = !findings.lacking.empty();
        bool const repairs = trees.repairs == findings.release;
        if (repairs && incomplete && !is_lost(findings)) {
            repair(findings);
        } else if (!lost && ((repairs && trees.rests) || trees.ready == findings.release) &&
                   (incomplete || is_lost(findings))) {
            lost = findings;
        }
    }
    effects_.persist({journal::put(software_, *record_)});
    return lost;
}

// What stays is told once.
void TreeCare::tell_strays(TreesScanned const& event) {
    std::string kept;
    for (auto const& findings : event.trees) {
        auto const release = findings.release.directory_name();
        if (!findings.moved.empty()) {
            effects_.log(LogLevel::warn, fmt::format("{} {}: moved to lost+found, as it is no part of the release: {}; "
                                                     "what a program writes belongs into LULL_DATA",
                                                     software_.text(), release, some_of(findings.moved)));
        }
        if (findings.kept.empty()) continue;
        kept += fmt::format("{}{}: {}", kept.empty() ? "" : "; ", release, some_of(findings.kept));
    }
    if (!event.deleted.empty()) {
        effects_.log(LogLevel::warn, fmt::format("{}: deleted from lost+found, by age or size: {}", software_.text(),
                                                 some_of(event.deleted)));
    }
    if (!kept.empty() && record_->strays != kept) {
        effects_.log(LogLevel::warn,
                     fmt::format("{}: no part of the release, and left alone: {}; what a program writes belongs into "
                                 "LULL_DATA",
                                 software_.text(), kept));
    }
    record_->strays = kept.empty() ? std::nullopt : std::optional(std::move(kept));
}

void TreeCare::note(TreeFindings const& findings, Moment now) {
    record_->changed = now.wall;
    record_->repaired += findings.repaired;
    record_->left += findings.left;
    record_->what = findings.example;
    if (!findings.status) record_->what += (record_->what.empty() ? "" : "; ") + findings.status.error().message;
    effects_.log(LogLevel::warn,
                 fmt::format("{} {}: {} paths had changed and were put right, {} still differ: {}", software_.text(),
                             findings.release.directory_name(), findings.repaired, findings.left, record_->what));
}

// Fetches the bytes that this disk does not have. When they are here, the next scan puts them in place.
void TreeCare::repair(TreeFindings const& findings) {
    end_repair();
    for (auto const& segment : findings.lacking)
        objects_.fetcher().want(findings.release, segment.digest, segment.size);
    repairing_ = true;
    effects_.log(LogLevel::info,
                 fmt::format("{}: fetching {} segments to repair it", software_.text(), findings.lacking.size()));
}

void TreeCare::end_repair() {
    if (!std::exchange(repairing_, false)) return;
    objects_.fetcher().unwant(software_);
    objects_.collect_garbage();
}

void TreeCare::superseded() {
    repairing_ = false;
    cancel_scan();
}

void TreeCare::cancel_scan() {
    if (scan_ != Scan::running) return;
    scan_ = Scan::cancelled;
    effects_.perform(CancelJob{software_, Job::scan});
}

void TreeCare::current_changed() {
    if (!record_) return;
    record_->changed = {};
    record_->what.clear();
}

std::string TreeCare::text() const {
    if (!record_) return {};
    if (record_->left > 0) return fmt::format("{} paths differ from what was signed: {}", record_->left, record_->what);
    if (record_->changed == WallTime{}) return {};
    return fmt::format("had changed on the disk and was put right at {}: {}", to_text(record_->changed), record_->what);
}

}  // namespace lull::subscriber
