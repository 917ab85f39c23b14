#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "core/files.hpp"

namespace lull::publisher::watch {

// The mounts below a directory: for each of its entries (empty: the directory itself and what is above it) the numbers
// of the mounts there and further below.
using Mounts = std::map<std::string, std::set<std::string>>;

// From the text of /proc/self/mountinfo (proc(5)). Skips lines that it does not understand.
[[nodiscard]] Mounts mounts_below(std::string_view mountinfo, fs::path const& directory);

// The entries whose mounts differ.
[[nodiscard]] std::set<std::string> changed_mounts(Mounts const& before, Mounts const& after);

}  // namespace lull::publisher::watch
