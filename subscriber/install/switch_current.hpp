#pragma once

#include <vector>

#include "subscriber/disk/layout.hpp"
#include "subscriber/model/actions.hpp"

namespace lull::subscriber {

// Makes `current` point to a version that exists, in one step, durably. Repeating it changes nothing.
[[nodiscard]] Status switch_current(Layout const& layout, ReleaseId const& release);

// Deletes the versions that are not in `keep`, not current, not locked by anybody, and not in use as far as /proc
// shows (and leases, where /proc does not show everything); with their manifests and lock files, and with whatever
// interrupted calls of this and of stage() have left. Returns those deleted. Not while stage() runs for this
// software. Fault::cancelled if it was stopped; the next call goes on.
[[nodiscard]] Result<std::vector<ReleaseId>> remove_superseded(Layout const& layout, SoftwareName const& software,
                                                               std::vector<ReleaseId> const& keep,
                                                               GoingOn const& going_on = {});

// Whether all candidates of MakeRoom together occupy less than what is lacking.
[[nodiscard]] Result<bool> is_hopeless(Layout const& layout, MakeRoom const& order);

// The same for the versions that MakeRoom names. Returns the versions that are there then.
[[nodiscard]] Result<std::vector<ReleaseId>> make_room(Layout const& layout, MakeRoom const& order,
                                                       GoingOn const& going_on = {});

}  // namespace lull::subscriber
