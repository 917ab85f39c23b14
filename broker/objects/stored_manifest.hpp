#pragma once

#include "schema/manifest.hpp"
#include "store/packs.hpp"

namespace lull::broker {

// Reads a manifest object from its pack, and checks digest, signature and every rule of manifests. For a worker: it may
// take a while and holds the whole manifest.
[[nodiscard]] Result<Manifest> open_stored_manifest(store::PackFile const& pack, store::ObjectPlace const& place,
                                                    TrustedKeys const& trusted);

// The stored bytes of an object, as they lie in its pack.
[[nodiscard]] Result<Buffer> read_stored(store::PackFile const& pack, store::ObjectPlace const& place);

// A whole object, unpacked and checked. Fault::damaged if its bytes are not what the digest says.
[[nodiscard]] Result<Buffer> read_plain(store::PackFile const& pack, store::ObjectPlace const& place, Bytes most);

// The manifest in a manifest object. It was opened before its release entered the log, so its signature, by a key that
// may have been withdrawn since, is not looked at again.
[[nodiscard]] Result<Manifest> decode_stored_manifest(View object);

// The segments that a manifest object names, as above.
[[nodiscard]] Result<std::vector<Segment>> segments_of_stored(store::PackFile const& pack,
                                                              store::ObjectPlace const& place);

}  // namespace lull::broker
