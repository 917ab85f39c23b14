#pragma once

#include <string>
#include <vector>

#include "schema/manifest.hpp"
#include "subscriber/layout.hpp"

namespace lull::subscriber {

// In which way a path of a tree is not what the manifest says.
enum class DifferenceKind { missing, extra, type, mode, content };

struct Difference {
    std::string path;  // relative to the tree
    DifferenceKind kind = DifferenceKind::missing;
    bool operator==(Difference const&) const = default;
};

// "bin/app: contents differ".
[[nodiscard]] std::string to_text(Difference const& difference);

// Compares a directory with a manifest: every path by lstat, every file of the right size by its SHA-256, every
// link by its target. Sorted by path; empty if all is as signed. An error only if the tree cannot be read at all.
[[nodiscard]] Result<std::vector<Difference>> compare_tree(fs::path const& tree, Manifest const& manifest);

// compare_tree() for an installed version.
[[nodiscard]] Result<std::vector<Difference>> verify_tree(Layout const& layout, ReleaseId const& release,
                                                          Manifest const& manifest);

// SHA-256 of a file's bytes, read from the descriptor in pieces.
[[nodiscard]] Result<Digest> hash_file(int file, fs::path const& path);

}  // namespace lull::subscriber
