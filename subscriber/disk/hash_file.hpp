#pragma once

#include <functional>

#include "core/crypto.hpp"
#include "core/files.hpp"

namespace lull::subscriber {

// Called after each piece of long work, with the bytes that were done; false: stop. Long work calls it at least every
// 20 MiB.
using ReadStep = std::function<bool(Bytes)>;

// What long work ends with when its step said stop: Fault::cancelled.
[[nodiscard]] tl::unexpected<Error> stopped_at(fs::path const& path);

// SHA-256 of a file's bytes, read from the descriptor in pieces. Fault::cancelled if the step said stop.
[[nodiscard]] Result<Digest> hash_file(int file, fs::path const& path, ReadStep const& step = {});

}  // namespace lull::subscriber
