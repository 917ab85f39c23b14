#pragma once

namespace lull::broker {

// The program `lull-broker`: parses, runs the command, and returns the exit status (0, 1, 2, 4).
[[nodiscard]] int run_program(int argc, char const* const* argv);

}  // namespace lull::broker
