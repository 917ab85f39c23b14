#pragma once

#include <vector>

#include "subscriber/layout.hpp"

namespace lull::subscriber {

// Makes `current` point to a version that exists, in one step, durably. Repeating it changes nothing.
[[nodiscard]] Status switch_current(Layout const& layout, ReleaseId const& release);

// Deletes the versions that are not in `keep`, not current, not locked by anybody, and not in use as far as /proc
// shows; with their manifests and lock files, and what an interrupted call left behind. Returns those deleted. A
// process that we may not look into counts as a user.
[[nodiscard]] Result<std::vector<ReleaseId>> remove_superseded(Layout const& layout, SoftwareName const& software,
                                                               std::vector<ReleaseId> const& keep);

}  // namespace lull::subscriber
