#pragma once

#include "core/command_line.hpp"

namespace lull::subscriber {

// `lull-node call`: ends this process as the program that an executor has run.
[[nodiscard]] Command call_command();

}  // namespace lull::subscriber
