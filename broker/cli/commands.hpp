#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/command_line.hpp"

namespace lull::broker {

// The commands of `lull-broker`. `config` is the usual config file of `run`, where the data directory is known.
[[nodiscard]] std::vector<Command> commands(std::optional<std::string> config);

// Runs `lull-broker` with these arguments; returns its exit status.
int run_program(int argc, char const* const* argv);

}  // namespace lull::broker
