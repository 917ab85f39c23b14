#pragma once

#include <stop_token>

#include "core/inotify.hpp"
#include "publisher/tree/excludes.hpp"
#include "publisher/watch/events.hpp"

namespace lull::publisher::watch {

// A directory of a tree and the kernel's watch for it.
struct WatchedDirectory {
    int watch = -1;
    std::string path;  // in the tree; empty: the tree's top
};

// What one look at a tree found.
struct TreeFinding {
    TreeLook look;
    Excludes excludes;  // of its lull.conf; none if that is wrong
    std::vector<WatchedDirectory> directories;
    std::optional<Error> unwatched;  // why the kernel does not watch all of it
};

// Makes a fingerprint of type, mode, inode, size, times and link target of each path that a release would have, and of
// lull.conf, .lull-version and git's references. Directories count without their times, which an excluded file changes
// as well. Reads no contents. Has each directory watched before it lists it, if there is an `inotify`. Errors:
// Fault::cancelled if the tree changes meanwhile or `stop` is requested; Fault::not_found if there is none;
// Fault::refused if it cannot be read or holds too many paths.
[[nodiscard]] Result<TreeFinding> look_at(fs::path const& root, Inotify const* inotify, std::stop_token const& stop);

}  // namespace lull::publisher::watch
