#pragma once

#include <string>
#include <vector>

#include "schema/manifest.hpp"
#include "subscriber/disk/hash_file.hpp"
#include "subscriber/tree/tree_marks.hpp"

namespace lull::subscriber {

// In which way a path of a tree is not what the manifest says.
enum class DifferenceKind { missing, extra, type, mode, content, time };

struct Difference {
    std::string path;  // relative to the tree
    DifferenceKind kind = DifferenceKind::missing;
    auto operator<=>(Difference const&) const = default;
};

// "bin/app: contents differ"; whatever the path holds, it can be shown.
[[nodiscard]] std::string to_text(Difference const& difference);

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

// Compares a directory with a manifest: every path by lstat, every file of the right size by its SHA-256 (or its mark)
// and then its time, every link by its target. Paths that the manifest allows as strays are passed over. No symlink is
// followed. What cannot be seen because of the mode of a directory is not reported: mend that, and look again. An error
// only if the tree cannot be read at all, or the step said stop.
[[nodiscard]] Result<TreeSeen> look_at_tree(fs::path const& tree, Manifest const& manifest, TreeLook const& look);

// The differences alone, every file read. Fault::cancelled if the step said stop.
[[nodiscard]] Result<std::vector<Difference>> compare_tree(fs::path const& tree, Manifest const& manifest,
                                                           ReadStep const& step = {});

// compare_tree() for an installed version.
[[nodiscard]] Result<std::vector<Difference>> verify_tree(Layout const& layout, ReleaseId const& release,
                                                          Manifest const& manifest);

// The mode of an entry that is not a symlink.
[[nodiscard]] mode_t wanted_mode(Entry const& entry);

// Gives an open file the time that the manifest says, if it says one.
[[nodiscard]] Status set_time(int file, Entry const& entry, fs::path const& path);

}  // namespace lull::subscriber
