#pragma once

#include "subscriber/disk/layout.hpp"

namespace lull::subscriber {

// Deletes what interrupted work has left of a software: trees that are half built or half deleted, a path that was
// being repaired, a link that was to become `current`, temporary files, and manifests, marks and lock files of versions
// that are not there. Not while stage(), a removal or a repair of this software runs. Fault::cancelled if it was
// stopped.
[[nodiscard]] Status clear_leftovers(Layout const& layout, SoftwareName const& software, GoingOn const& going_on = {});

// Deletes temporary files in .lull and .lull/holds. One of holds/ that is younger than a minute stays: it may be that
// of a `lull-node hold` that is running.
[[nodiscard]] Status clear_temporary_files(Layout const& layout, WallTime now);

}  // namespace lull::subscriber
