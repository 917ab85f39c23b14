#include "subscriber/lease_probe.hpp"

#include <cerrno>
#include <csignal>

#include "subscriber/file_identity.hpp"
#include "subscriber/proc_files.hpp"

namespace lull::subscriber {

namespace {

// How often this process has the file open. Only asked about the few files that are open at all.
Result<int> times_open_here(FileIdentity const& file) {
    int times = 0;
    auto descriptors = open_file("/proc/self/fd", O_RDONLY | O_DIRECTORY);
    if (!descriptors) return pass(descriptors.error());
    int const handle = descriptors->get();
    bool const all = each_name(*std::move(descriptors), [&](char const* name) { times += identify(handle, name, 0) == file ? 1 : 0; });
    if (!all) return fail_errno("list", "/proc/self/fd");
    return times;
}

// True if somebody else has the file open. One that we ourselves have open once more (a scan reads it) tells nothing.
Result<bool> is_open(fs::path const& path) {
    auto const file = open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!file) return pass(file.error());
    auto const open = is_open_elsewhere(file->get(), path);
    if (!open || !*open) return open;
    auto const identity = identify(file->get());
    if (!identity) return fail_errno("look at", path);
    auto const times = times_open_here(identity->file);
    if (!times) return pass(times.error());
    return *times == 1;
}

}  // namespace

// The lease ends at once; whoever opens the file in between waits that long.
Result<bool> is_open_elsewhere(int file, fs::path const& path) {
    // Who breaks a lease causes a signal, SIGIO unless told otherwise, which would end us; SIGURG is ignored.
    if (fcntl(file, F_SETSIG, SIGURG) != 0) return fail_errno("prepare the lease of", path);
    if (fcntl(file, F_SETLEASE, F_WRLCK) != 0) {
        if (errno == EAGAIN) return true;
        return fail_errno("get a lease of", path);
    }
    if (fcntl(file, F_SETLEASE, F_UNLCK) != 0) return fail_errno("end the lease of", path);
    return false;
}

Result<std::optional<fs::path>> find_open_file(Layout const& layout, ReleaseId const& release) {
    auto const tree = layout.tree(release);
    std::error_code problem;
    fs::recursive_directory_iterator entries(tree, problem);
    while (!problem && entries != fs::recursive_directory_iterator()) {
        auto const status = entries->symlink_status(problem);
        if (problem) break;
        if (fs::is_regular_file(status)) {
            auto const open = is_open(entries->path());
            if (!open) return pass(open.error());
            if (*open) return entries->path();
        }
        entries.increment(problem);
    }
    if (problem) return fail(Fault::failed, "cannot list {}: {}", tree.string(), problem.message());
    return std::nullopt;
}

}  // namespace lull::subscriber
