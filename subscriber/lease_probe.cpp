#include "subscriber/lease_probe.hpp"

#include <cerrno>
#include <csignal>

namespace lull::subscriber {

namespace {

// True if somebody else has the file open. The lease ends at once; whoever opens the file in between waits that long.
Result<bool> is_open(fs::path const& path) {
    auto const file = open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!file) return pass(file.error());
    // Who breaks a lease causes a signal, SIGIO unless told otherwise, which would end us; SIGURG is ignored.
    if (fcntl(file->get(), F_SETSIG, SIGURG) != 0) return fail_errno("prepare the lease of", path);
    if (fcntl(file->get(), F_SETLEASE, F_WRLCK) != 0) {
        if (errno == EAGAIN) return true;
        return fail_errno("get a lease of", path);
    }
    if (fcntl(file->get(), F_SETLEASE, F_UNLCK) != 0) return fail_errno("end the lease of", path);
    return false;
}

}  // namespace

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
