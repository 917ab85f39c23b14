#pragma once

#include <string_view>
#include <vector>

#include "core/files.hpp"

namespace lull::publisher {

// Why a release cannot carry this extended attribute of a path, and what to do: file capabilities, ACLs, and whatever
// users or security modules have set. Empty for what the system keeps for itself: labels of SELinux, SMACK and
// AppArmor, `trusted.*`, and attributes of one kind of file system.
[[nodiscard]] std::string problem_of_attribute(std::string_view attribute, fs::path const& path);

// The same for all attributes of a file or directory, one problem each. A file system without attributes has none.
[[nodiscard]] Result<std::vector<std::string>> problems_of_attributes(fs::path const& path);

}  // namespace lull::publisher
