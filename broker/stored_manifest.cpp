#include "broker/stored_manifest.hpp"

#include "store/compression.hpp"

namespace lull::broker {

Result<Manifest> open_stored_manifest(store::PackFile const& pack, store::ObjectPlace const& place, TrustedKeys const& trusted) {
    Buffer stored(place.shape.stored.count());
    auto const status = read_exactly(pack->get(), place.offset.count(), stored, fmt::format("pack {}", place.pack));
    if (!status) return pass(status.error());
    auto const plain = store::unpack_object(place.shape, stored, limits::envelope);
    if (!plain) return pass(plain.error());
    return open_manifest(*plain, place.shape.object, trusted);
}

}  // namespace lull::broker
