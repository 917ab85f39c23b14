#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/bytes.hpp"
#include "core/units.hpp"

namespace lull::store {

// A place in a file that its own bytes mark: where 64 bytes have a hash that begins with twelve zero bits, so one in 4
// KiB on average. Bytes that were moved keep their anchors.
struct Anchor {
    std::uint64_t hash = 0;  // of those bytes
    std::uint64_t at = 0;    // of the last of them in the file
};

// Finds the anchors of a file that is fed piece by piece ("gear" hash of Xia et al., "Ddelta", 2014).
class AnchorFinder {
public:
    void feed(View bytes);
    [[nodiscard]] std::vector<Anchor> const& anchors() const { return anchors_; }

private:
    std::uint64_t hash_ = 0;
    std::uint64_t at_ = 0;
    std::vector<Anchor> anchors_;
};

// For each new file the old one with which it shares most anchors, if these are at least an eighth of its own; else
// nothing. Parallel to `fresh`; the numbers are indices into `old`.
[[nodiscard]] std::vector<std::optional<std::size_t>> most_alike(std::vector<std::vector<Anchor>> const& old,
                                                                 std::vector<std::vector<Anchor>> const& fresh);

// Where in an old file a piece of a new one is likely to come from: the `window` bytes of the old file that hold most
// anchors of the piece. Anchors that occur several times in the old file do not count. Without common anchors: where
// the piece would lie if the file had only been stretched. Returns the beginning of the window, which ends within the
// old file if that is at least as long.
[[nodiscard]] Bytes locate(std::vector<Anchor> const& old, Bytes old_size, std::vector<Anchor> const& piece,
                           double relative_place, Bytes window);

}  // namespace lull::store
