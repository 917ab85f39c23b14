#pragma once

#include "core/log.hpp"
#include "core/units.hpp"
#include "schema/identity.hpp"
#include "subscriber/disk/layout.hpp"

namespace lull::subscriber {

// How long the broker may take until its first announcement. It sends HEAD at once, and every 15 s.
inline constexpr Duration self_check_wait = std::chrono::seconds(45);

// Whether this program can serve the node, beside the daemon that runs: reads its journal, connects to the broker's
// announcements, and waits for the first one. Changes nothing.
[[nodiscard]] Status check_self(Layout const& layout, JoinBundle const& bundle, Log& log,
                                Duration wait = self_check_wait);

}  // namespace lull::subscriber
