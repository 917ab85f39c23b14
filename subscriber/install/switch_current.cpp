#include "subscriber/install/switch_current.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "subscriber/install/leftovers.hpp"
#include "subscriber/usage/in_use.hpp"
#include "subscriber/usage/lease_probe.hpp"
#include "subscriber/usage/use_lock.hpp"

namespace lull::subscriber {

namespace {

// Where some processes cannot be looked into, the kernel still tells whether anybody has a file of the version.
Result<bool> is_used(Layout const& layout, ReleaseId const& release) {
    auto const scan = find_holders(layout, release);
    if (!scan) return pass(scan.error());
    if (!scan->holders.empty()) return true;
    if (scan->unreadable == 0) return false;
    auto const open = find_open_file(layout, release);
    return !open || open->has_value();
}

// Takes a version out of versions/ unless somebody has it; true if it is gone.
Result<bool> retire(Layout const& layout, ReleaseId const& release) {
    auto lock = UseLock::try_exclusive(layout.lock(release));
    // Without a lock file nobody can hold the lock; the other ways still tell who uses the version.
    if (!lock && lock.error().fault != Fault::not_found) return pass(lock.error());
    if (lock && !*lock) return false;
    auto const used = is_used(layout, release);
    if (!used) return pass(used.error());
    if (*used) return false;
    auto const tree = layout.tree(release);
    if (rename(tree.c_str(), layout.garbage(release).c_str()) != 0) return fail_errno("remove", tree);
    sync_directory_or_die(layout.versions(release.software));
    return true;
}

// What a tree takes on the disk; where files share blocks with others, more than its end would free.
Result<Bytes> occupied_by(fs::path const& tree) {
    Bytes sum{};
    std::error_code problem;
    for (fs::recursive_directory_iterator entry(tree, problem), end; !problem && entry != end;
         entry.increment(problem)) {
        struct stat status {};
        if (lstat(entry->path().c_str(), &status) == 0)
            sum += Bytes(static_cast<std::uint64_t>(status.st_blocks) * 512);
    }
    if (!problem || problem == std::errc::no_such_file_or_directory) return sum;
    errno = problem.value();
    return fail_errno("measure", tree);
}

// Deletes the chosen versions that are neither current nor in use; those deleted.
template <class Chosen>
Result<std::vector<ReleaseId>> remove_versions(Layout const& layout, SoftwareName const& software, Chosen chosen,
                                               GoingOn const& going_on) {
    // If we do not know what is current, nothing may be deleted.
    auto const current = layout.current(software);
    if (!current) return pass(current.error());
    if (auto status = clear_leftovers(layout, software, going_on); !status) return pass(status.error());
    auto const installed = layout.installed(software);
    if (!installed) return pass(installed.error());
    std::vector<ReleaseId> removed;
    for (auto const& release : *installed) {
        if (going_on && !going_on()) return fail(Fault::cancelled, "stopped before all old versions were removed");
        if (*current == release || !chosen(release)) continue;
        auto const gone = retire(layout, release);
        if (!gone) return pass(gone.error());
        if (*gone) removed.push_back(release);
    }
    if (auto status = clear_leftovers(layout, software, going_on); !status) return pass(status.error());
    return removed;
}

}  // namespace

Status switch_current(Layout const& layout, ReleaseId const& release) {
    auto const tree = layout.tree(release);
    struct stat status {};
    if (lstat(tree.c_str(), &status) != 0) return fail_errno("switch to", tree);
    if (!S_ISDIR(status.st_mode)) {
        return fail(Fault::damaged, "cannot switch to {}: it is not a directory", tree.string());
    }
    auto const link = layout.current_link(release.software);
    auto const fresh = layout.fresh_link(release.software);
    if (auto removed = remove_tree(fresh); !removed) return removed;
    auto const target = "versions/" + release.directory_name();
    if (symlink(target.c_str(), fresh.c_str()) != 0) return fail_errno("make the link", fresh);
    if (rename(fresh.c_str(), link.c_str()) != 0) {
        auto error = fail_errno("switch", link);
        static_cast<void>(unlink(fresh.c_str()));
        return error;
    }
    sync_directory_or_die(layout.software(release.software));
    return {};
}

Result<std::vector<ReleaseId>> remove_superseded(Layout const& layout, SoftwareName const& software,
                                                 std::vector<ReleaseId> const& keep, GoingOn const& going_on) {
    auto const old = [&](ReleaseId const& release) { return std::ranges::find(keep, release) == keep.end(); };
    return remove_versions(layout, software, old, going_on);
}

Result<bool> is_hopeless(Layout const& layout, MakeRoom const& order) {
    if (order.lacking.zero()) return false;
    Bytes sum{};
    for (auto const& release : order.candidates) {
        auto const tree = occupied_by(layout.tree(release));
        if (!tree) return pass(tree.error());
        sum += *tree;
    }
    return sum < order.lacking;
}

Result<std::vector<ReleaseId>> make_room(Layout const& layout, MakeRoom const& order, GoingOn const& going_on) {
    auto const chosen = [&](ReleaseId const& release) {
        return order.only ? release == *order.only : std::ranges::find(order.keep, release) == order.keep.end();
    };
    auto const removed = remove_versions(layout, order.software, chosen, going_on);
    if (!removed) return pass(removed.error());
    return layout.installed(order.software);
}

}  // namespace lull::subscriber
