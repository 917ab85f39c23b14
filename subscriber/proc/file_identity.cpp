#include "subscriber/proc/file_identity.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace lull::subscriber {

namespace {

std::optional<OpenedFile> look(int directory, char const* name, int flags) {
    struct statx status {};
    if (statx(directory, name, flags | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &status) != 0)
        return std::nullopt;
    return OpenedFile{{makedev(status.stx_dev_major, status.stx_dev_minor), status.stx_ino}, S_ISLNK(status.stx_mode)};
}

}  // namespace

std::optional<FileIdentity> identify(int directory, char const* name, int flags) {
    auto const seen = look(directory, name, flags);
    return seen ? std::optional(seen->file) : std::nullopt;
}

std::optional<OpenedFile> identify(int descriptor) { return look(descriptor, "", AT_EMPTY_PATH); }

}  // namespace lull::subscriber
