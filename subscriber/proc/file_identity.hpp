#pragma once

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <optional>

namespace lull::subscriber {

// A file or directory, whatever its names are.
struct FileIdentity {
    dev_t device = 0;
    std::uint64_t inode = 0;
    auto operator<=>(FileIdentity const&) const = default;
};

// The file that `name` leads to from an open directory, with the flags of statx(2), by what the kernel has in memory:
// no file server is asked, so one that hangs does not hang us, and nothing is mounted. Nothing: see errno.
[[nodiscard]] std::optional<FileIdentity> identify(int directory, char const* name, int flags);

// The same, and whether it is a symbolic link, of what is open already (O_PATH is enough).
struct OpenedFile {
    FileIdentity file;
    bool is_link = false;
};
[[nodiscard]] std::optional<OpenedFile> identify(int descriptor);

}  // namespace lull::subscriber
