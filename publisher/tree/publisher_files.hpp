#pragma once

#include <optional>
#include <string>

#include "core/files.hpp"

namespace lull::publisher {

// The text of a small file at the top of a tree that somebody else may write to; nothing if there is none. Never waits
// and never follows a link. Fault::usage if it is no regular file or larger than `limit`.
[[nodiscard]] Result<std::optional<std::string>> read_publisher_file(fs::path const& path, Bytes limit);

}  // namespace lull::publisher
