#pragma once

#include <string>

#include "core/json.hpp"
#include "core/table.hpp"
#include "schema/messages.hpp"

// Text for people has local time; JSON for programs has UTC.

namespace lull::publisher {

// The table software x node with state, since and why, and the number of active nodes. `releases`: for the sizes of
// downloads.
[[nodiscard]] std::string status_text(Answer const& answer, std::vector<ReleaseRow> const& releases, Painting painting);
[[nodiscard]] Json status_json(Answer const& answer);

}  // namespace lull::publisher
