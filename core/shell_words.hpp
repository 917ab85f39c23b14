#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace lull {

// "bin/app --title 'two words'" -> its words. Blanks separate; '...' and "..." hold words together; a backslash takes
// the next character as it is, but not between '...'. Nothing is expanded. Fault::usage for a quote that does not end.
[[nodiscard]] Result<std::vector<std::string>> split_words(std::string_view text);

}  // namespace lull
