#include "broker/peers.hpp"

#include <cstring>

namespace lull::broker {

Status Peers::load(View key, View value) {
    std::array<std::byte, 32> bytes;
    if (key.size() != bytes.size()) return fail(Fault::damaged, "table '{}' has a key of {} bytes", table, key.size());
    std::memcpy(bytes.data(), key.data(), bytes.size());
    auto peer = decode<Peer>(value, limits::control_message);
    if (!peer) return fail(Fault::damaged, "table '{}': {}", table, peer.error().message);
    add(PeerKey(bytes), std::move(*peer));
    return {};
}

Peer const* Peers::find(PeerKey const& key) const {
    auto const found = peers_.find(key);
    return found == peers_.end() ? nullptr : &found->second;
}

std::optional<PeerKey> Peers::key_of(NodeName const& node) const {
    auto const found = nodes_.find(node.text());
    if (found == nodes_.end()) return std::nullopt;
    return found->second;
}

Status Peers::check_new(PeerKey const& key, Peer const& peer) const {
    if (auto const* known = find(key); known != nullptr && (known->name != peer.name || known->role != peer.role)) {
        return fail(Fault::refused, "this key is enrolled already, as '{}'; make a new key for '{}'", known->name, peer.name);
    }
    if (peer.role != Role::node) return {};
    if (auto const found = nodes_.find(peer.name); found != nodes_.end() && found->second != key) {
        return fail(Fault::refused, "a node named '{}' is enrolled already with another key; choose another name", peer.name);
    }
    return {};
}

void Peers::add(PeerKey const& key, Peer peer) {
    if (peer.role == Role::node) nodes_[peer.name] = key;
    peers_[key] = std::move(peer);
}

store::Change Peers::change(PeerKey const& key, Peer const& peer) {
    return {table, to_buffer(key.bytes()), encode(peer)};
}

TrustedKeys Peers::publishers() const {
    std::vector<Ed25519Public> keys;
    for (auto const& [key, peer] : peers_) {
        if (peer.role != Role::node && peer.signing) keys.push_back(*peer.signing);
    }
    return TrustedKeys(std::move(keys));
}

}  // namespace lull::broker
