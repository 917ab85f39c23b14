#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "core/files.hpp"

namespace lull::publisher::watch {

// What `git describe --tags --dirty` prints for a work tree; nothing if it has no tag. Changes nothing in it.
// Fault::failed if git is missing, refuses the directory, or takes longer than a minute; Fault::cancelled after a stop.
[[nodiscard]] Result<std::optional<std::string>> git_describe(fs::path const& tree, std::stop_token const& stop);

}  // namespace lull::publisher::watch
