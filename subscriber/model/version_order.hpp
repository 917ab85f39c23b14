#pragma once

#include <string_view>

namespace lull::subscriber {

// Whether a version of lull-node is newer than another one: by its numbers between dots, from the left. A number that
// is missing is 0. What follows the numbers (1.2-rc1) does not count. False for a version that begins with no number.
[[nodiscard]] bool is_newer_version(std::string_view one, std::string_view other);

}  // namespace lull::subscriber
