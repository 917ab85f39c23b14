#pragma once

#include <string_view>

#include "core/result.hpp"
#include "core/units.hpp"

namespace lull {

// "30 s", "90", "5min", "1 h", "7d": a whole number of seconds, minutes, hours or days, up to ten years; without a unit
// it is seconds. Fault::usage with what it should look like.
[[nodiscard]] Result<std::chrono::seconds> parse_duration(std::string_view text);

}  // namespace lull
