#pragma once

#include <string>

#include "core/json.hpp"
#include "core/table.hpp"
#include "schema/messages.hpp"

// Text for people has local time; JSON for programs has UTC.

namespace lull::publisher {

// All releases of all software. Sizes: what a node fetches to get to the newest release.
enum class Sizes { hidden, shown };
[[nodiscard]] std::string list_text(Answer const& answer, Sizes sizes, Painting painting);
[[nodiscard]] Json list_json(Answer const& answer);

}  // namespace lull::publisher
