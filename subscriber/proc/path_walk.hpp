#pragma once

#include <optional>
#include <string_view>

#include "core/files.hpp"
#include "subscriber/proc/file_identity.hpp"

namespace lull::subscriber {

// Follows paths as another process would, one name at a time, from its root and working directory. On a disk of this
// machine names are looked up; elsewhere (file servers, FUSE, /proc, overlays) only what the kernel has in memory is
// taken, and no link is followed, so nobody can keep us waiting.
class PathWalk {
public:
    // Descriptors (O_PATH) of the process's root and working directory, as far as they are known: paths from one that
    // is not lead nowhere. `trusted` is the device of a file system that answers, whatever it is.
    PathWalk(FileDescriptor root, FileDescriptor working_directory, dev_t trusted);

    // What the path leads to, all links followed; nothing if that is nowhere or too far.
    [[nodiscard]] std::optional<FileIdentity> find(std::string_view path) const;

private:
    struct Step;
    struct Quick {
        bool certain = false;  // else it has to be looked for
        std::optional<FileIdentity> file;
    };
    [[nodiscard]] Quick find_in_memory(std::string const& path) const;
    [[nodiscard]] std::optional<Step> enter(FileDescriptor const& directory) const;
    [[nodiscard]] std::optional<Step> take(Step const& from, std::string const& name) const;
    [[nodiscard]] bool may_ask(FileIdentity const& directory) const;

    FileDescriptor root_;
    FileDescriptor working_directory_;
    dev_t trusted_;
    std::optional<FileIdentity> top_;  // of the root
};

}  // namespace lull::subscriber
