#pragma once

#include <optional>
#include <stop_token>

#include "core/bytes.hpp"
#include "core/units.hpp"
#include "schema/manifest.hpp"
#include "schema/messages.hpp"

// The home of zstd (RFC 8878).

namespace lull::store {

// An object as it is stored and sent.
struct StoredObject {
    ObjectShape shape;
    Buffer bytes;
};

inline constexpr Bytes most_with_base = MiB(64);  // a delta's base and plain bytes together

inline constexpr int quick_level = 3;  // for whoever waits
inline constexpr int small_level = 19; // for the background

// Compresses, and keeps the plain bytes where that gains less than 2 %. Computes the digest.
[[nodiscard]] StoredObject pack_object(View plain, int level);

// The plain bytes, checked: sizes, zstd's own frame, digest. Output is capped by `shape.plain`, which must be at most
// `most`; the decompression window is capped at the smallest power of two that holds it. Fault::damaged otherwise,
// never wrong bytes.
[[nodiscard]] Result<Buffer> unpack_object(ObjectShape const& shape, View stored, Bytes most);

// A delta: the plain bytes of a segment as one zstd frame that may refer to `base` as if it stood before them. Base and plain bytes
// together take at most 64 MiB. Memory at the highest levels: about ten times what both are. Nothing if it was stopped.
[[nodiscard]] std::optional<Buffer> make_delta(View base, View plain, int level, std::stop_token const& stop = {});

// What a frame says of the size of its plain bytes; nothing if it is no frame or does not say.
[[nodiscard]] std::optional<Bytes> plain_size(View frame);

// The plain bytes of a segment from a delta and the very base that it was made with. The segment's digest and size decide whether they
// are right: Fault::damaged otherwise, never wrong bytes, and never more than its size. Memory: base, frame and plain bytes.
[[nodiscard]] Result<Buffer> apply_delta(Segment const& segment, View base, View frame);

// The same checks without handing out the plain bytes: what is stored raw is not copied.
[[nodiscard]] Status check_object(ObjectShape const& shape, View stored, Bytes most);

}  // namespace lull::store
