#pragma once

#include <stop_token>

#include "schema/manifest.hpp"
#include "store/address_space.hpp"

// How new bytes come from old ones. There are two kinds, told apart by their first bytes: a zstd frame (RFC 8878) that
// has the old bytes as its prefix, and the address delta (store/address_delta.hpp) for programs.

namespace lull::store {

inline constexpr Bytes most_with_base = MiB(64);  // base and plain bytes together

// Old bytes, or new ones, with what is known of where they lie when they run.
struct LaidOut {
    View bytes;
    AddressSpace space{};
};

// The plain bytes of a segment from `base`, as a zstd frame. Base and plain bytes together take at most 64 MiB. Memory
// at the highest levels: about ten times what both are. Nothing if it was stopped.
[[nodiscard]] std::optional<Buffer> make_delta(View base, View plain, int level, std::stop_token const& stop = {});

// The smaller of both kinds, where there is a program on both sides; else a frame at small_level. That is not made
// where an address delta is half of one at quick_level. Nothing if it was stopped, which takes two seconds while a base
// of 20 MiB is sorted.
[[nodiscard]] std::optional<Buffer> make_smallest_delta(LaidOut const& base, LaidOut const& plain,
                                                        std::stop_token const& stop = {});

// What a delta says of the size of its plain bytes; nothing if it is none or does not say.
[[nodiscard]] std::optional<Bytes> plain_size(View frame);

// The plain bytes of a segment from a delta and the very base that it was made with. The segment's digest and size
// decide whether they are right: Fault::damaged otherwise, never wrong bytes, and never more than its size. Memory:
// memory_to_apply().
[[nodiscard]] Result<Buffer> apply_delta(Segment const& segment, View base, View frame);

// What applying a delta of any kind takes, at most.
[[nodiscard]] Bytes memory_to_apply(Bytes base, Bytes plain, Bytes frame);

}  // namespace lull::store
