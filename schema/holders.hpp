#pragma once

#include <string>
#include <vector>

#include "schema/messages.hpp"

namespace lull {

// "held by pid 4242 (uid 1001 kiosk, kiosk-browser) since 09:12; told 10:02", the first two of several.
[[nodiscard]] std::string held_by(std::vector<Holder> const& holders, WallTime now);

}  // namespace lull
