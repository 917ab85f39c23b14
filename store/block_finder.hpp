#pragma once

#include <stop_token>

#include "store/copy_block.hpp"
#include "store/suffix_array.hpp"

namespace lull::store {

// The blocks of new bytes that are much like old ones, ascending, apart from each other, as bsdiff finds them
// (Percival, "Naive differences of executable code", 2003). Nothing if it was stopped, or would take too long.
[[nodiscard]] std::optional<std::vector<CopyBlock>> find_blocks(View old_bytes, View new_bytes,
                                                                std::stop_token const& stop);

}  // namespace lull::store
