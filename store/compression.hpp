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

inline constexpr int quick_level = 3;   // while somebody waits
inline constexpr int small_level = 19;  // for the background

// Compresses, and keeps the plain bytes where that gains less than 2 %. Computes the digest.
[[nodiscard]] StoredObject pack_object(View plain, int level);
// The same; nothing if it was stopped, which takes at most as long as 256 KiB do: a fraction of a second at
// small_level.
[[nodiscard]] std::optional<StoredObject> pack_object(View plain, int level, std::stop_token const& stop);

// The plain bytes, checked: sizes, zstd's own frame, digest. Output is capped by `shape.plain`, which must be at most
// `most`; the decompression window is capped at the smallest power of two that holds it. Fault::damaged otherwise,
// never wrong bytes.
[[nodiscard]] Result<Buffer> unpack_object(ObjectShape const& shape, View stored, Bytes most);

// The same checks without handing out the plain bytes: what is stored raw is not copied.
[[nodiscard]] Status check_object(ObjectShape const& shape, View stored, Bytes most);

// The plain bytes as one frame that may refer to `prefix` as if it stood before them. Memory at the highest levels:
// about ten times what both are. Nothing if it was stopped. Both together are below 1 GiB.
[[nodiscard]] std::optional<Buffer> compress_behind(View prefix, View plain, int level,
                                                    std::stop_token const& stop = {});

// One frame of parts that have little in common, at small_level.
[[nodiscard]] Buffer compress_parts(std::vector<Buffer> const& parts);

// What a frame says of the size of its plain bytes; nothing if it is no frame or does not say.
[[nodiscard]] std::optional<Bytes> plain_size_of_frame(View frame);

// Fills `plain` from a frame and the very prefix that it was made with. Fault::damaged if it is not exactly one frame,
// or gives another size.
[[nodiscard]] Status decompress_behind(View prefix, View frame, std::span<std::byte> plain);

}  // namespace lull::store
