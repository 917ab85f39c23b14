#include "subscriber/activator.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "subscriber/in_use.hpp"
#include "subscriber/use_lock.hpp"

namespace lull::subscriber {

namespace {

constexpr std::string_view garbage_prefix = ".garbage-";

Status remove_file(fs::path const& path) {
    if (unlink(path.c_str()) == 0 || errno == ENOENT) return {};
    return fail_errno("remove", path);
}

// Deletes what remove_version() has renamed, the lock file last. A version that was staged again meanwhile keeps
// its files.
Status clear_garbage(Layout const& layout, ReleaseId const& release) {
    if (auto status = remove_tree(layout.garbage(release)); !status) return status;
    std::error_code ignored;
    if (fs::exists(fs::symlink_status(layout.tree(release), ignored))) return {};
    if (auto status = remove_file(layout.manifest(release)); !status) return status;
    return remove_file(layout.lock(release));
}

// Finishes what an interrupted call began.
Status clear_old_garbage(Layout const& layout, SoftwareName const& software) {
    std::vector<ReleaseId> left;
    std::error_code problem;
    fs::directory_iterator entries(layout.versions(software), problem);
    while (!problem && entries != fs::directory_iterator()) {
        auto const name = entries->path().filename().string();
        if (name.starts_with(garbage_prefix)) {
            auto release = ReleaseId::parse(software, std::string_view(name).substr(garbage_prefix.size()));
            if (release) left.push_back(*std::move(release));
        }
        entries.increment(problem);
    }
    if (problem && problem != std::errc::no_such_file_or_directory) {
        return fail(Fault::failed, "cannot list {}: {}", layout.versions(software).string(), problem.message());
    }
    for (auto const& release : left) {
        if (auto status = clear_garbage(layout, release); !status) return status;
    }
    return {};
}

// Deletes a version unless somebody has it; true if it is gone.
Result<bool> remove_version(Layout const& layout, ReleaseId const& release) {
    auto lock = UseLock::try_exclusive(layout.lock(release));
    // Without a lock file nobody can hold the lock; /proc still tells who uses the version.
    if (!lock && lock.error().fault != Fault::not_found) return pass(lock.error());
    if (lock && !*lock) return false;
    auto const scan = find_holders(layout, release);
    if (!scan) return pass(scan.error());
    if (!scan->holders.empty() || scan->unreadable > 0) return false;

    auto const garbage = layout.garbage(release);
    if (auto status = remove_tree(garbage); !status) return pass(status.error());
    auto const tree = layout.tree(release);
    if (rename(tree.c_str(), garbage.c_str()) != 0) return fail_errno("remove", tree);
    sync_directory_or_die(layout.versions(release.software));
    if (auto status = clear_garbage(layout, release); !status) return pass(status.error());
    return true;
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
    auto const fresh = layout.software(release.software) / ".current-new";
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
                                                 std::vector<ReleaseId> const& keep) {
    // If we do not know what is current, nothing may be deleted.
    auto const current = layout.current(software);
    if (!current) return pass(current.error());
    if (auto status = clear_old_garbage(layout, software); !status) return pass(status.error());
    auto const installed = layout.installed(software);
    if (!installed) return pass(installed.error());
    std::vector<ReleaseId> removed;
    for (auto const& release : *installed) {
        bool const kept = *current == release || std::find(keep.begin(), keep.end(), release) != keep.end();
        if (kept) continue;
        auto const gone = remove_version(layout, release);
        if (!gone) return pass(gone.error());
        if (*gone) removed.push_back(release);
    }
    return removed;
}

}  // namespace lull::subscriber
