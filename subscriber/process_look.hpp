#pragma once

#include "subscriber/tree_files.hpp"
#include "subscriber/use_sign.hpp"

namespace lull::subscriber {

// What a look at one process gave.
struct ProcessLook {
    UseSigns signs;        // none: it does not use the version, as far as could be seen
    bool refused = false;  // not everything could be seen
};

// By what the process, given as its open directory in /proc, uses the version. What the process supplies is never interpreted:
// arguments are only followed as paths, to compare device and inode.
[[nodiscard]] ProcessLook look_at_process(int directory, TreeFiles const& tree);

}  // namespace lull::subscriber
