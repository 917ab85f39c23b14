#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "schema/manifest.hpp"

// How a node gets from one release to another with the fewest bytes. A patch is made by the broker and not signed:
// whatever it gives is believed only if the manifest, which is signed, names it by its digest.

namespace lull {

// Bytes of a file of the old release: from `offset` on, to the end if there is no `length`.
struct BaseRange {
    std::uint32_t entry = 0;  // index into the old manifest's entries
    std::optional<Bytes> offset{};
    std::optional<Bytes> length{};
    static void describe(auto& self, auto& visit) {
        visit("e", self.entry);
        visit("f", self.offset);
        visit("l", self.length);
    }
    bool operator==(BaseRange const&) const = default;
};

// How one segment comes to the node: whole, if `object` is the segment itself; else by a delta (schema/PROTOCOL.md,
// section 4) from the bytes of `base`, which is in `object`, stored raw, or stands here.
struct Step {
    std::uint32_t segment = 0;    // index into the new manifest's segments
    std::vector<BaseRange> base;  // in this order
    std::optional<Digest> object{};
    std::optional<Buffer> frame{};
    Bytes size{};  // that cross the wire for it, beside the patch
    static void describe(auto& self, auto& visit) {
        visit("g", self.segment);
        visit("b", self.base);
        visit("o", self.object);
        visit("d", self.frame);
        visit("z", self.size);
    }
    bool operator==(Step const&) const = default;
};

// All that a node with the old release lacks of the new one.
struct Patch {
    static constexpr std::size_t most_elements = limits::elements_per_patch;
    Digest from;  // manifest objects
    Digest to;
    Buffer manifest;          // a delta that gives the new one from the old one
    std::vector<Step> steps;  // by segment, ascending
    static void describe(auto& self, auto& visit) {
        visit("f", self.from);
        visit("t", self.to);
        visit("m", self.manifest);
        visit("s", self.steps);
    }
    bool operator==(Patch const&) const = default;
};

// A step that gives its segment from old bytes.
[[nodiscard]] bool is_delta(Step const& step, Manifest const& to);

// Fault::damaged if it breaks a rule above or is larger than limits::patch.
[[nodiscard]] Result<Patch> decode_patch(View bytes);

// The length of the old file's part, if the range lies within it; Fault::damaged otherwise.
[[nodiscard]] Result<Bytes> length_of(BaseRange const& range, Manifest const& old);

// The same for all of them together, which is at most limits::delta_base.
[[nodiscard]] Result<Bytes> length_of(std::vector<BaseRange> const& base, Manifest const& old);

}  // namespace lull
