#pragma once

#include <string>

#include "core/json.hpp"
#include "schema/messages.hpp"

namespace lull::publisher {

// One release with all that its publisher has signed. `info` is that of `row`; text for people has local time and
// leaves out what is as usual.
[[nodiscard]] std::string show_text(ReleaseRow const& row, UpdateInfo const& info, WallTime now);
[[nodiscard]] Json show_json(ReleaseRow const& row, UpdateInfo const& info);

}  // namespace lull::publisher
