#pragma once

#include <vector>

#include "core/bytes.hpp"

// Inputs that fuzzing begins with: good ones, from which a change is not far.

namespace lull::fuzz {

[[nodiscard]] std::vector<Buffer> message_seeds();
[[nodiscard]] std::vector<Buffer> manifest_seeds();
[[nodiscard]] std::vector<Buffer> path_seeds();
[[nodiscard]] std::vector<Buffer> envelope_seeds();
[[nodiscard]] std::vector<Buffer> identity_seeds();

}  // namespace lull::fuzz
