#pragma once

#include "core/command_line.hpp"
#include "subscriber/daemon/daemon.hpp"

namespace lull::subscriber {

// The options of `lull-node daemon`.
[[nodiscard]] std::vector<Option> daemon_options();

// What they set, but for the join bundle, which lies in the root. Fault::usage names the option.
[[nodiscard]] Result<DaemonSettings> daemon_settings(Arguments const& arguments, Layout const& layout);

}  // namespace lull::subscriber
