#pragma once

#include "publisher/release/builder.hpp"

namespace lull::publisher {

// Makes sure that health check, hooks and callable programs of the distribution are programs of the release: one that
// no node can run would fail on every node. Fault::usage names the option.
[[nodiscard]] Status check_programs(Release const& release, Distribution const& distribution);

}  // namespace lull::publisher
