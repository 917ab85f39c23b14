#pragma once

#include "core/files.hpp"
#include "schema/manifest.hpp"

namespace lull::subscriber {

// Writes bytes of a file at `offset`. Of a sparse file, which has its size already, blocks of zeros are left out, so
// that they stay holes.
[[nodiscard]] Status write_contents(int file, Entry const& entry, Bytes offset, View bytes, fs::path const& path);

// Gives an empty file the size of a sparse one, all hole; nothing for other files.
[[nodiscard]] Status make_hole(int file, Entry const& entry, fs::path const& path);

// What the file occupies at most, but for the last block of its file system.
[[nodiscard]] Bytes bytes_on_disk(Entry const& entry);

}  // namespace lull::subscriber
