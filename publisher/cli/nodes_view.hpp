#pragma once

#include <string>

#include "core/json.hpp"
#include "core/table.hpp"
#include "schema/messages.hpp"

// Text for people has local time; JSON for programs has UTC.

namespace lull::publisher {

// The enrolled nodes.
[[nodiscard]] std::string nodes_text(Answer const& answer, Painting painting);
[[nodiscard]] Json nodes_json(Answer const& answer);

// The nodes that were removed.
[[nodiscard]] std::string removed_nodes_text(std::vector<NodeName> const& nodes);
[[nodiscard]] Json removed_nodes_json(std::vector<NodeName> const& nodes);

}  // namespace lull::publisher
