#pragma once

#include <string>

#include "core/json.hpp"
#include "core/table.hpp"
#include "schema/messages.hpp"

// Text for people has local time; JSON for programs has UTC.

namespace lull::publisher {

// Remote calls that run, and the last ones, newest first.
[[nodiscard]] std::string calls_text(Answer const& answer, Painting painting);
[[nodiscard]] Json calls_json(Answer const& answer);

}  // namespace lull::publisher
