#pragma once

#include <string>
#include <vector>

#include "subscriber/disk/layout.hpp"

namespace lull::subscriber {

// How much of what is no part of a release a node keeps for each software, and how long.
struct LostBounds {
    Bytes size = MiB(256);
    std::int64_t age = std::int64_t{30} * 24 * 3600 * 1'000'000;  // microseconds
};

// What became of paths that are in a tree and no part of its release; each with the reason, for people.
struct StraysMoved {
    std::vector<std::string> moved;
    std::vector<std::string> kept;  // in use, or not to be moved
};

// Moves paths of a tree to ROOT/<software>/lost+found/<time>-<seq>-<version>/, each with its path. What a process has
// open stays, and so does what is larger than the bound; sockets and FIFOs stay while the version is in use. Whether a
// file is open is asked of the kernel; where that cannot be known, it stays. Never deletes anything.
[[nodiscard]] StraysMoved move_strays(Layout const& layout, ReleaseId const& release,
                                      std::vector<std::string> const& paths, WallTime now,
                                      LostBounds const& bounds = {});

// Deletes what has lain in lost+found for too long, and the oldest of it until the rest is within the bound; gives the
// names of what was deleted.
[[nodiscard]] std::vector<std::string> trim_lost(Layout const& layout, SoftwareName const& software, WallTime now,
                                                 LostBounds const& bounds = {});

// The paths in lost+found, the newest first, at most `most` of them.
[[nodiscard]] std::vector<std::string> list_lost(Layout const& layout, SoftwareName const& software, std::size_t most);

}  // namespace lull::subscriber
