#pragma once

#include "schema/identity.hpp"
#include "subscriber/disk/layout.hpp"

namespace lull::subscriber {

// The bundle that this root was joined with. Fault::failed says how to join if it was not.
[[nodiscard]] Result<JoinBundle> own_bundle(Layout const& layout);

}  // namespace lull::subscriber
