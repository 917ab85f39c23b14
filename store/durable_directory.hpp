#pragma once

#include "core/files.hpp"

namespace lull::store {

// Makes a directory (0700) and its parents where they are missing; their names are durable when it returns.
[[nodiscard]] Status make_durable_directory(fs::path const& directory);

}  // namespace lull::store
