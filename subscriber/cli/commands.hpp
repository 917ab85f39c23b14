#pragma once

namespace lull::subscriber {

// The program `lull-node`: parses, runs a command, returns the exit status.
[[nodiscard]] int run_program(int argc, char const* const* argv);

}  // namespace lull::subscriber
