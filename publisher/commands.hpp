#pragma once

#include <vector>

#include "core/command_line.hpp"

// The commands of `lull`.

namespace lull::publisher {

[[nodiscard]] Command keygen_command();
[[nodiscard]] Command publish_command();
[[nodiscard]] Command list_command();
[[nodiscard]] Command status_command();
[[nodiscard]] Command nodes_command();
[[nodiscard]] Command nodes_new_command();

}  // namespace lull::publisher
