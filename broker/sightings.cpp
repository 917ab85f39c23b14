#include "broker/sightings.hpp"

#include <cstring>

namespace lull::broker {

Status Sightings::load(View key, View value) {
    std::array<std::byte, 32> bytes;
    if (key.size() != bytes.size()) return fail(Fault::damaged, "table '{}' has a key of {} bytes", table, key.size());
    std::memcpy(bytes.data(), key.data(), bytes.size());
    auto sighting = decode<Sighting>(value, limits::control_message);
    if (!sighting) return fail(Fault::damaged, "table '{}': {}", table, sighting.error().message);
    seen_[PeerKey(bytes)] = std::move(*sighting);
    return {};
}

void Sightings::heard(PeerKey const& peer, WallTime now) {
    seen_[peer].when = now;
    changed_.insert(peer);
}

void Sightings::runs(PeerKey const& peer, std::string program) {
    seen_[peer].program = std::move(program);
    changed_.insert(peer);
}

Sightings::Sighting const* Sightings::find(PeerKey const& peer) const {
    auto const found = seen_.find(peer);
    return found == seen_.end() ? nullptr : &found->second;
}

store::Batch Sightings::take_changes() {
    store::Batch batch;
    for (auto const& peer : changed_) batch.push_back({table, to_buffer(peer.bytes()), encode(seen_.at(peer))});
    changed_.clear();
    return batch;
}

}  // namespace lull::broker
