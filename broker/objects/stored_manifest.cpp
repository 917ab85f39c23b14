#include "broker/objects/stored_manifest.hpp"

#include "store/compression.hpp"

namespace lull::broker {

Result<Buffer> read_stored(store::PackFile const& pack, store::ObjectPlace const& place) {
    Buffer stored(place.shape.stored.count());
    if (auto status = pack->read(place.offset, stored); !status) return pass(status.error());
    return stored;
}

Result<Buffer> read_plain(store::PackFile const& pack, store::ObjectPlace const& place, Bytes most) {
    auto const stored = read_stored(pack, place);
    if (!stored) return stored;
    return store::unpack_object(place.shape, *stored, most);
}

Result<Manifest> decode_stored_manifest(View object) {
    auto const envelope = decode<Envelope>(object, limits::envelope);
    if (!envelope) return pass(envelope.error());
    return decode<Manifest>(envelope->payload, limits::manifest_payload);
}

Result<Manifest> open_stored_manifest(store::PackFile const& pack, store::ObjectPlace const& place,
                                      TrustedKeys const& trusted) {
    auto const plain = read_plain(pack, place, limits::envelope);
    if (!plain) return pass(plain.error());
    return open_manifest(*plain, place.shape.object, trusted);
}

Result<std::vector<Segment>> segments_of_stored(store::PackFile const& pack, store::ObjectPlace const& place) {
    auto const plain = read_plain(pack, place, limits::envelope);
    if (!plain) return pass(plain.error());
    auto manifest = decode_stored_manifest(*plain);
    if (!manifest) return pass(manifest.error());
    return std::move(manifest->segments);
}

}  // namespace lull::broker
