#pragma once

#include <vector>

#include "core/command_line.hpp"

// The commands of `lull`.

namespace lull::publisher {

[[nodiscard]] Command keygen_command();
[[nodiscard]] Command publish_command();
[[nodiscard]] Command watch_command();
[[nodiscard]] Command list_command();
[[nodiscard]] Command show_command();
[[nodiscard]] Command status_command();
[[nodiscard]] Command nodes_command();
[[nodiscard]] Command nodes_new_command();
[[nodiscard]] Command nodes_remove_command();
[[nodiscard]] Command nodes_force_command();
[[nodiscard]] Command progress_command();
[[nodiscard]] Command orders_command();
[[nodiscard]] Command calls_command();
[[nodiscard]] Command hold_command();
[[nodiscard]] Command unhold_command();
[[nodiscard]] Command pause_command();
[[nodiscard]] Command resume_command();
[[nodiscard]] Command withdraw_command();
[[nodiscard]] Command rollback_command();
[[nodiscard]] Command retry_command();

}  // namespace lull::publisher
