#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "core/units.hpp"

// What both ends of an address delta agree on (schema/PROTOCOL.md, section 4).

namespace lull::store::address_delta {

inline constexpr std::array<std::byte, 4> magic{std::byte{0xad}, std::byte{'L'}, std::byte{'D'}, std::byte{1}};

// What a node has to have room for, by the sizes of plain bytes and frame. A delta that needs more is none.
inline constexpr std::ptrdiff_t most_blocks_of_any = 1 << 16;
[[nodiscard]] constexpr std::uint64_t most_frame(std::uint64_t plain) { return plain / 4; }
[[nodiscard]] constexpr std::uint64_t most_side(std::uint64_t plain, std::uint64_t frame) {  // all but the literals, unpacked
    return std::min(plain / 4, frame * 8) + (64 << 10);
}
[[nodiscard]] constexpr std::uint64_t most_blocks(std::uint64_t frame) { return std::min<std::uint64_t>(frame / 8 + 16, most_blocks_of_any); }

}  // namespace lull::store::address_delta
