#pragma once

#include <string>

#include "core/json.hpp"
#include "publisher/table.hpp"
#include "schema/messages.hpp"

// What the broker's answers look like: as text for people, in local time, and as JSON for programs, in UTC.

namespace lull::publisher {

// The table software x node with state, since and why, and how many are done. `releases` may tell how large a download
// is.
[[nodiscard]] std::string status_text(Answer const& answer, std::vector<ReleaseRow> const& releases, Painting painting);
[[nodiscard]] Json status_json(Answer const& answer);

// All releases of all software.
[[nodiscard]] std::string list_text(Answer const& answer, Painting painting);
[[nodiscard]] Json list_json(Answer const& answer);

// The nodes that the broker knows.
[[nodiscard]] std::string nodes_text(Answer const& answer, Painting painting);
[[nodiscard]] Json nodes_json(Answer const& answer);

// "held by pid 4242 (uid 1001 kiosk, kiosk-browser) since 09:12; told 10:02".
[[nodiscard]] std::string held_by(std::vector<Holder> const& holders, WallTime now);

// "09:12" today, "2026-01-30 09:12" on other days, by local time.
[[nodiscard]] std::string clock_text(WallTime time, WallTime now);

}  // namespace lull::publisher
