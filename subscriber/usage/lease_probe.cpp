#include "subscriber/usage/lease_probe.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <csignal>

#include "subscriber/proc/file_identity.hpp"
#include "subscriber/proc/own_files.hpp"
#include "subscriber/proc/proc_files.hpp"
#include "subscriber/proc/tree_walk.hpp"

namespace lull::subscriber {

namespace {

enum class Lease { got, refused, failed };

// A lease ends at once; whoever opens the file in between waits that long. After `failed` errno says why.
Lease try_lease(int file) {
    // Who breaks a lease causes a signal, SIGIO unless told otherwise, which would end us; SIGURG is ignored.
    if (fcntl(file, F_SETSIG, SIGURG) != 0) return Lease::failed;
    if (fcntl(file, F_SETLEASE, F_WRLCK) != 0) return errno == EAGAIN ? Lease::refused : Lease::failed;
    return fcntl(file, F_SETLEASE, F_UNLCK) == 0 ? Lease::got : Lease::failed;
}

// How often this process has the file open. Only asked about the few files that are open at all.
Result<int> times_open_here(FileIdentity const& file) {
    int times = 0;
    auto descriptors = open_file("/proc/self/fd", O_RDONLY | O_DIRECTORY);
    if (!descriptors) return pass(descriptors.error());
    int const handle = descriptors->get();
    bool const all = each_name(*std::move(descriptors),
                               [&](char const* name) { times += identify(handle, name, 0) == file ? 1 : 0; });
    if (!all) return fail_errno("list", "/proc/self/fd");
    return times;
}

// True if another process has the file open. A file that this process itself has open once more (a scan reads it),
// executes or maps tells nothing.
Result<bool> is_open(TreeEntry const& entry) {
    auto const file = open_at(entry.directory, entry.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!file.valid()) return fail_errno("open", entry.path());
    auto const lease = try_lease(file.get());
    if (lease == Lease::failed) return fail_errno("get a lease of", entry.path());
    if (lease == Lease::got) return false;
    auto const identity = identify(file.get());
    if (!identity) return fail_errno("look at", entry.path());
    if (executes_or_maps(identity->file)) return false;
    auto const times = times_open_here(identity->file);
    if (!times) return pass(times.error());
    return *times == 1;
}

}  // namespace

Result<bool> is_open_elsewhere(int file, fs::path const& path) {
    auto const lease = try_lease(file);
    if (lease == Lease::failed) return fail_errno("get a lease of", path);
    return lease == Lease::refused;
}

Result<std::optional<fs::path>> find_open_file(Layout const& layout, ReleaseId const& release) {
    return find_open_file(layout.tree(release));
}

Result<std::optional<fs::path>> find_open_file(fs::path const& path) {
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0) return fail_errno("look at", path);
    if (S_ISREG(status.st_mode)) {
        auto const directory = open_file(path.parent_path(), O_PATH | O_DIRECTORY);
        if (!directory) return pass(directory.error());
        auto const name = path.filename().string();
        auto const parent = path.parent_path();
        auto const open = is_open({directory->get(), name.c_str(), status.st_ino, true, &parent});
        if (!open) return pass(open.error());
        return *open ? std::optional(path) : std::nullopt;
    }
    if (!S_ISDIR(status.st_mode)) return std::nullopt;
    std::optional<fs::path> found;
    auto const visit = [&](TreeEntry const& entry) -> Result<bool> {
        auto const open = entry.is_file ? is_open(entry) : Result<bool>(false);
        if (!open) return pass(open.error());
        if (*open) found = entry.path();
        return !*open;
    };
    auto const enter = [](int, fs::path const&) { return Status(); };
    if (auto walked = walk_tree(path, {enter, visit}); !walked) return pass(walked.error());
    return found;
}

}  // namespace lull::subscriber
