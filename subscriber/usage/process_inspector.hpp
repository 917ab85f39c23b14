#pragma once

#include "subscriber/usage/tree_files.hpp"
#include "subscriber/usage/usage_kind.hpp"

namespace lull::subscriber {

// What a look at one process gave.
struct ProcessInspection {
    UsageKinds signs;      // none: it does not use the version, as far as could be seen
    bool refused = false;  // not everything could be seen
};

// Whether mappings are read: they are most of what a look costs, and needless where leases have just said that nobody
// has a file of the tree.
enum class LookDepth { full, without_mappings };

// By what the process, given as its open directory in /proc, uses the version. What the process supplies is never
// interpreted: arguments are only followed as paths, to compare device and inode.
[[nodiscard]] ProcessInspection inspect_process(int directory, TreeFiles const& tree, LookDepth depth);

}  // namespace lull::subscriber
