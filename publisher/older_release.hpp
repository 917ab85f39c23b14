#pragma once

#include <string>
#include <vector>

#include "schema/messages.hpp"

namespace lull::publisher {

// The release to go back to, of all that the broker has of a software, in the order of their numbers. With `wanted`: the one of this version.
// Without: the last one before the contents that the newest has came first, so that going back twice goes back further, and not forward again.
// Fault::refused says why there is none.
[[nodiscard]] Result<ReleaseRow> older_release(std::vector<ReleaseRow> const& releases, std::string const& wanted);

}  // namespace lull::publisher
