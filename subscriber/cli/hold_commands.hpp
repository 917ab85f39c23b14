#pragma once

#include "core/command_line.hpp"

namespace lull::subscriber {

// --root, which every command of `lull-node` has.
[[nodiscard]] Option root_option();

// Holds that are set on the node itself.
[[nodiscard]] Command hold_command();
[[nodiscard]] Command unhold_command();

}  // namespace lull::subscriber
