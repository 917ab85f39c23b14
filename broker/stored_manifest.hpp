#pragma once

#include "schema/manifest.hpp"
#include "store/packs.hpp"

namespace lull::broker {

// Reads a manifest object from its pack, and checks digest, signature and every rule of manifests. For a worker: it may take a while
// and holds the whole manifest.
[[nodiscard]] Result<Manifest> open_stored_manifest(store::PackFile const& pack, store::ObjectPlace const& place,
                                                    TrustedKeys const& trusted);

}  // namespace lull::broker
