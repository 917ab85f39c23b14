#pragma once

#include <functional>
#include <string>
#include <vector>

#include "schema/manifest.hpp"
#include "subscriber/tree_marks.hpp"

namespace lull::subscriber {

// In which way a path of a tree is not what the manifest says.
enum class DifferenceKind { missing, extra, type, mode, content };

struct Difference {
    std::string path;  // relative to the tree
    DifferenceKind kind = DifferenceKind::missing;
    auto operator<=>(Difference const&) const = default;
};

// "bin/app: contents differ"; whatever the path holds, it can be shown.
[[nodiscard]] std::string to_text(Difference const& difference);

// Called after each piece that was read; false: stop.
using ReadStep = std::function<bool(Bytes)>;

// How a tree is looked at.
struct TreeLook {
    std::vector<FileMark> known;  // by entry: a file that still looks like this is not read; empty: every file is read
    WallTime now{};               // when the look begins
    ReadStep step;                // none: read on to the end
};

// What was seen.
struct TreeSeen {
    std::vector<Difference> differences;  // sorted by path; extra directories without what is in them
    std::vector<FileMark> marks;          // by entry, of the files that are right
    Bytes read{};
};

// Compares a directory with a manifest: every path by lstat, every file of the right size by its SHA-256 (or its mark), every link by its
// target. No symlink is followed. What cannot be seen because of the mode of a directory is not reported: mend that, and look
// again. An error only if the tree cannot be read at all, or the step said stop.
[[nodiscard]] Result<TreeSeen> look_at_tree(fs::path const& tree, Manifest const& manifest, TreeLook const& look);

// The differences alone, every file read.
[[nodiscard]] Result<std::vector<Difference>> compare_tree(fs::path const& tree, Manifest const& manifest);

// compare_tree() for an installed version.
[[nodiscard]] Result<std::vector<Difference>> verify_tree(Layout const& layout, ReleaseId const& release, Manifest const& manifest);

// The mode of an entry that is not a symlink.
[[nodiscard]] mode_t wanted_mode(Entry const& entry);

// SHA-256 of a file's bytes, read from the descriptor in pieces. An error as well if the step said stop.
[[nodiscard]] Result<Digest> hash_file(int file, fs::path const& path, ReadStep const& step = {});

}  // namespace lull::subscriber
