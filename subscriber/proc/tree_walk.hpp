#pragma once

#include <functional>

#include "core/files.hpp"

namespace lull::subscriber {

// One entry of a directory that is being walked.
struct TreeEntry {
    int directory = -1;          // open
    char const* name = nullptr;  // in it
    std::uint64_t inode =
        0;  // as the directory has it: not that of what is mounted there, and on overlays not that of stat
    bool is_file = false;             // regular
    fs::path const* place = nullptr;  // of the directory

    [[nodiscard]] fs::path path() const { return *place / name; }
};

// What is done with the tree's directories and with everything else in it. An error ends the walk; false: so does
// enough.
struct TreeVisitor {
    std::function<Status(int directory, fs::path const& path)> enter;
    std::function<Result<bool>(TreeEntry const& entry)> visit;
};

// Goes through all of a tree, from directory to directory without building paths, and follows no symlink.
[[nodiscard]] Status walk_tree(fs::path const& tree, TreeVisitor const& visitor);

}  // namespace lull::subscriber
