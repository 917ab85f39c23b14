#pragma once

#include "core/command_line.hpp"

namespace lull::subscriber {

// `lull-node move ADDRESS`: the broker of this node has another address, and the same key.
[[nodiscard]] Command move_command();

}  // namespace lull::subscriber
