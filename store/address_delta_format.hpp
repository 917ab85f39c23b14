#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "core/units.hpp"

// What both ends of an address delta agree on (schema/PROTOCOL.md, section 4).

namespace lull::store::address_delta {

inline constexpr std::array<std::byte, 4> magic{std::byte{0xad}, std::byte{'L'}, std::byte{'D'}, std::byte{1}};

inline constexpr std::uint64_t room_of_block = 56;  // bytes of memory, with the map
inline constexpr std::size_t most_blocks = 1 << 16;

// What a node has to have room for beside frame and plain bytes: the side information, unpacked, and the blocks. A
// delta that needs more is none, nor is one of three quarters of its plain bytes.
[[nodiscard]] constexpr std::uint64_t most_room(std::uint64_t plain, std::uint64_t frame) {
    auto const together = plain / 4 * 3;
    return frame < together ? std::min(together - frame, frame * 15) + (64 << 10) : 0;
}

}  // namespace lull::store::address_delta
