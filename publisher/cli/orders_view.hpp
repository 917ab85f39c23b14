#pragma once

#include <string>

#include "core/json.hpp"
#include "core/table.hpp"
#include "schema/messages.hpp"

// Text for people has local time; JSON for programs has UTC.

namespace lull::publisher {

// The orders in force.
[[nodiscard]] std::string orders_text(Answer const& answer, Painting painting);
[[nodiscard]] Json orders_json(Answer const& answer);

// One order in a line: "till-17: force kiosk 1.4.3, by anna; running processes are ended".
[[nodiscard]] std::string order_text(OrderRow const& row, WallTime now);

}  // namespace lull::publisher
