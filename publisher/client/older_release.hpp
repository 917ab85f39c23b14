#pragma once

#include <string>
#include <vector>

#include "schema/messages.hpp"

namespace lull::publisher {

// The release to return to, of all releases of a software in the order of their numbers. With `wanted`: the one of that
// version. Without: the last one before the first release with the contents of the newest; so a second rollback returns
// to an even older release. Fault::refused has the reason why there is none.
[[nodiscard]] Result<ReleaseRow> older_release(std::vector<ReleaseRow> const& releases, std::string const& wanted);

}  // namespace lull::publisher
