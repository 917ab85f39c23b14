#include "publisher/tree/no_links.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace lull::publisher {

Result<FileDescriptor> open_without_links(fs::path const& path, int flags) {
    LULL_INVARIANT(path.is_absolute());
    open_how how{};
    how.flags = static_cast<std::uint64_t>(static_cast<unsigned>(flags | O_NOFOLLOW | O_CLOEXEC));
    how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    long opened = -1;
    do {
        opened = syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how);
    } while (opened < 0 && errno == EINTR);
    if (opened >= 0) return FileDescriptor(static_cast<int>(opened));
    if (errno != ELOOP) return fail_errno("open", path);
    return fail(Fault::failed,
                "cannot read {}: it, or a directory above it, became a symbolic link; publish again when nothing "
                "writes to it",
                path.string());
}

}  // namespace lull::publisher
