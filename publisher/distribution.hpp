#pragma once

#include <vector>

#include "core/command_line.hpp"
#include "publisher/builder.hpp"

namespace lull::publisher {

// The options that say to whom a release goes, how quickly, and how it becomes live there.
[[nodiscard]] std::vector<Option> distribution_options();

// What they say. Fault::usage names the option.
[[nodiscard]] Result<Distribution> distribution_of(Arguments const& arguments);

}  // namespace lull::publisher
