#pragma once

#include <algorithm>

#include "schema/limits.hpp"

namespace lull {

// What a CALL-DATA payload of this size takes of the credit of its stream. A small payload counts as 4 KiB, so that
// credit bounds the number of messages too. An empty payload, which can only end its stream, is free.
[[nodiscard]] constexpr Bytes credit_for(Bytes payload) { return payload.zero() ? Bytes() : std::max(payload, KiB(4)); }

}  // namespace lull
