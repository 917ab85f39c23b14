#pragma once

#include <string>

#include "core/json.hpp"
#include "core/table.hpp"
#include "schema/messages.hpp"

// What the broker's answers look like: as text for people, in local time, and as JSON for programs, in UTC.

namespace lull::publisher {

// The table software x node with state, since and why, and how many are done. `releases` may tell how large a download
// is.
[[nodiscard]] std::string status_text(Answer const& answer, std::vector<ReleaseRow> const& releases, Painting painting);
[[nodiscard]] Json status_json(Answer const& answer);

// All releases of all software. Sizes: what a node fetches to get to the newest release.
enum class Sizes { hidden, shown };
[[nodiscard]] std::string list_text(Answer const& answer, Sizes sizes, Painting painting);
[[nodiscard]] Json list_json(Answer const& answer);

// The nodes that the broker knows.
[[nodiscard]] std::string nodes_text(Answer const& answer, Painting painting);
[[nodiscard]] Json nodes_json(Answer const& answer);

// The orders that stand; one of them as a line: "till-17: force kiosk 1.4.3, by anna; users are ended".
[[nodiscard]] std::string orders_text(Answer const& answer, Painting painting);
[[nodiscard]] std::string order_text(OrderRow const& row, WallTime now);
[[nodiscard]] Json orders_json(Answer const& answer);

}  // namespace lull::publisher
