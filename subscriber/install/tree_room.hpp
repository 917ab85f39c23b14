#pragma once

#include <cstdint>

#include "schema/manifest.hpp"

namespace lull::subscriber {

// Room on the disk.
struct Room {
    Bytes bytes{};
    std::uint64_t inodes = 0;
};

// What a file of this size occupies, as far as we reckon.
[[nodiscard]] Bytes room_of_file(Bytes size);
// What the tree of a release occupies, with manifest and lock file. `envelope`: the size of the signed manifest.
[[nodiscard]] Room room_of_tree(Manifest const& manifest, Bytes envelope);

inline constexpr std::uint64_t inodes_kept = 64;  // the reserve of what `--reserve` is for bytes

}  // namespace lull::subscriber
