#pragma once

#include <vector>

#include "core/bytes.hpp"

// Inputs that fuzzing begins with: good ones, from which a change is not far.

namespace lull::fuzz {

[[nodiscard]] std::vector<Buffer> message_seeds();
[[nodiscard]] std::vector<Buffer> manifest_seeds();
[[nodiscard]] std::vector<Buffer> patch_seeds();
[[nodiscard]] std::vector<Buffer> delta_seeds();
[[nodiscard]] std::vector<Buffer> path_seeds();
[[nodiscard]] std::vector<Buffer> envelope_seeds();
[[nodiscard]] std::vector<Buffer> identity_seeds();
[[nodiscard]] std::vector<Buffer> order_seeds();

// What delta_seeds() refer to, and what they give.
[[nodiscard]] Buffer delta_base();
[[nodiscard]] Buffer delta_result();
[[nodiscard]] Buffer address_delta();

}  // namespace lull::fuzz
