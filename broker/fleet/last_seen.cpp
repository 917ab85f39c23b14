#include "broker/fleet/last_seen.hpp"

#include <cstring>

namespace lull::broker {

Status LastSeen::load(View key, View value) {
    std::array<std::byte, 32> bytes;
    if (key.size() != bytes.size()) return fail(Fault::damaged, "table '{}' has a key of {} bytes", table, key.size());
    std::memcpy(bytes.data(), key.data(), bytes.size());
    auto sighting = decode<Sighting>(value, limits::control_message);
    if (!sighting) return fail(Fault::damaged, "table '{}': {}", table, sighting.error().message);
    seen_[PeerKey(bytes)] = std::move(*sighting);
    return {};
}

void LastSeen::heard(PeerKey const& peer, WallTime now) {
    seen_[peer].when = now;
    changed_.insert(peer);
}

void LastSeen::runs(PeerKey const& peer, std::string program) {
    seen_[peer].program = std::move(program);
    changed_.insert(peer);
}

LastSeen::Sighting const* LastSeen::find(PeerKey const& peer) const {
    auto const found = seen_.find(peer);
    return found == seen_.end() ? nullptr : &found->second;
}

void LastSeen::forget(PeerKey const& peer) {
    seen_.erase(peer);
    changed_.erase(peer);
    complaints_.erase(peer);
}

store::Change LastSeen::removal(PeerKey const& peer) { return {table, to_buffer(peer.bytes()), std::nullopt}; }

store::Batch LastSeen::take_changes(std::size_t most) {
    store::Batch batch;
    for (auto peer = changed_.begin(); peer != changed_.end() && batch.size() < most; peer = changed_.erase(peer)) {
        batch.push_back({table, to_buffer(peer->bytes()), encode(seen_.at(*peer))});
    }
    return batch;
}

}  // namespace lull::broker
