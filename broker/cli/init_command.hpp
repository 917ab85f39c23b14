#pragma once

#include "broker/data/init.hpp"
#include "core/command_line.hpp"

namespace lull::broker {

// `lull-broker init`: makes a broker's keys, database and operators.
[[nodiscard]] Command init_command();

// What the arguments of `init` ask for. Reads the key files of the operators.
[[nodiscard]] Result<InitRequest> init_request(Arguments const& arguments);

// --data, which each command of the broker has.
[[nodiscard]] Option data_option();

}  // namespace lull::broker
