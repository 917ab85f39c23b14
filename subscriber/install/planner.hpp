#pragma once

#include <set>

#include "subscriber/install/materials.hpp"

namespace lull::subscriber {

struct PlanBounds {
    Bytes reserve;  // of the disk
    Bytes memory;   // of this process, when it applies a delta
};

// What must be fetched for a release, and whether there is room for it and the tree that is made of it. Fault::refused
// if the manifest is that of another release.
[[nodiscard]] Result<Plan> make_plan(MakePlan const& order, OpenedMaterials const& opened, Layout const& layout,
                                     PlanBounds const& bounds);

// What this process takes beside the segment that it works on.
inline constexpr Bytes memory_beside_segments = MiB(14);

}  // namespace lull::subscriber
