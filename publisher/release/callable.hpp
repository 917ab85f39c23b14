#pragma once

#include "schema/manifest.hpp"

namespace lull::publisher {

// Whether each of these programs is an executable regular file of the release: an executor runs no other. Fault::usage
// names all problems at once.
[[nodiscard]] Status check_callable(Manifest const& manifest, std::vector<std::string> const& programs);

}  // namespace lull::publisher
