#pragma once

#include "core/bytes.hpp"
#include "core/units.hpp"
#include "schema/messages.hpp"

// The home of zstd (RFC 8878).

namespace lull::store {

// An object as it is stored and sent.
struct StoredObject {
    ObjectShape shape;
    Buffer bytes;
};

inline constexpr int quick_level = 3;  // for whoever waits
inline constexpr int small_level = 19; // for the background

// Compresses, and keeps the plain bytes where that gains less than 2 %. Computes the digest.
[[nodiscard]] StoredObject pack_object(View plain, int level);

// The plain bytes, checked: sizes, zstd's own frame, digest. Output is capped by `shape.plain`, which must be at most
// `most`; the decompression window is capped at the smallest power of two that holds it. Fault::damaged otherwise,
// never wrong bytes.
[[nodiscard]] Result<Buffer> unpack_object(ObjectShape const& shape, View stored, Bytes most);

// The same checks without handing out the plain bytes: what is stored raw is not copied.
[[nodiscard]] Status check_object(ObjectShape const& shape, View stored, Bytes most);

}  // namespace lull::store
