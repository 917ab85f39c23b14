#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace lull::subscriber {

// How much of a command line is looked at: interpreters have their script among the first arguments.
inline constexpr std::size_t most_argument_bytes = 16384;
inline constexpr std::size_t most_arguments = 64;

// What may be a path in a command line as /proc/PID/cmdline has it (arguments end with NUL): each argument but the
// program's name and options, and what stands behind the first '=' of an argument or option. An argument that was cut
// off is left out, unless the text is shorter than what is looked at: a process may have overwritten it.
[[nodiscard]] std::vector<std::string_view> command_line_paths(std::string_view command_line);

}  // namespace lull::subscriber
