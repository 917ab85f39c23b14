#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/units.hpp"

// What both ends of an address delta agree on (schema/PROTOCOL.md, section 4).

namespace lull::store::address_delta {

inline constexpr std::array<std::byte, 4> magic{std::byte{0xad}, std::byte{'L'}, std::byte{'D'}, std::byte{1}};

// The side information, unpacked: everything but the new bytes themselves. A delta that needs more is none.
[[nodiscard]] constexpr std::uint64_t most_side(std::uint64_t plain) { return plain / 4 + (64 << 10); }
[[nodiscard]] constexpr std::uint64_t most_blocks(std::uint64_t plain) { return std::min<std::uint64_t>(plain / 128 + 16, 1 << 17); }

}  // namespace lull::store::address_delta
