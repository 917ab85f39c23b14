#include "subscriber/activator.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "subscriber/in_use.hpp"
#include "subscriber/lease_probe.hpp"
#include "subscriber/use_lock.hpp"

namespace lull::subscriber {

namespace {

constexpr std::string_view suffixes[] = {".manifest", ".seen"};

bool is_there(fs::path const& path) {
    struct stat status {};
    return lstat(path.c_str(), &status) == 0;
}

std::string_view without_suffix(std::string_view name) {
    auto const suffix = std::find_if(std::begin(suffixes), std::end(suffixes), [&](auto ending) { return name.ends_with(ending); });
    return suffix == std::end(suffixes) ? name : name.substr(0, name.size() - suffix->size());
}

// Deletes trees that are half built or half deleted.
Status clear_half_trees(Layout const& layout, SoftwareName const& software) {
    auto const directory = layout.versions(software);
    auto const names = names_in(directory);
    if (!names) return pass(names.error());
    for (auto const& name : *names) {
        if (!name.starts_with(".garbage-") && !name.starts_with(".staging-")) continue;
        if (auto status = remove_tree(directory / name); !status) return status;
    }
    return {};
}

// Deletes manifests, marks and lock files of versions that are not there.
Status clear_companions(Layout const& layout, SoftwareName const& software) {
    for (auto const& directory : {layout.releases(software), layout.locks(software)}) {
        auto const names = names_in(directory);
        if (!names) return pass(names.error());
        for (auto const& name : *names) {
            auto const path = directory / name;
            auto const release = ReleaseId::parse(software, directory == layout.locks(software) ? name : without_suffix(name));
            if (!release || is_there(layout.tree(*release))) continue;
            if (unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno("remove", path);
        }
    }
    return {};
}

Status clear_leftovers(Layout const& layout, SoftwareName const& software) {
    if (auto status = clear_half_trees(layout, software); !status) return status;
    return clear_companions(layout, software);
}

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
    if (auto status = clear_leftovers(layout, software); !status) return pass(status.error());
    auto const installed = layout.installed(software);
    if (!installed) return pass(installed.error());
    std::vector<ReleaseId> removed;
    for (auto const& release : *installed) {
        bool const kept = *current == release || std::find(keep.begin(), keep.end(), release) != keep.end();
        if (kept) continue;
        auto const gone = retire(layout, release);
        if (!gone) return pass(gone.error());
        if (*gone) removed.push_back(release);
    }
    if (auto status = clear_leftovers(layout, software); !status) return pass(status.error());
    return removed;
}

}  // namespace lull::subscriber
