#pragma once

#include "schema/manifest.hpp"
#include "store/packs.hpp"

namespace lull::broker {

// Reads a manifest object from its pack, and checks digest, signature and every rule of manifests. For a worker: it may take a while
// and holds the whole manifest.
[[nodiscard]] Result<Manifest> open_stored_manifest(store::PackFile const& pack, store::ObjectPlace const& place,
                                                    TrustedKeys const& trusted);

// The stored bytes of an object, as they lie in its pack.
[[nodiscard]] Result<Buffer> read_stored(store::PackFile const& pack, store::ObjectPlace const& place);

// The segments that a manifest object names. It was opened before its release entered the log, so its signature, by a key that may have
// been withdrawn since, is not looked at again.
[[nodiscard]] Result<std::vector<Segment>> segments_of_stored(store::PackFile const& pack, store::ObjectPlace const& place);

}  // namespace lull::broker
