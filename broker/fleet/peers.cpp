#include "broker/fleet/peers.hpp"

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
    return found == peers_.end() || leaving_.contains(key) ? nullptr : &found->second;
}

std::optional<PeerKey> Peers::key_of(NodeName const& node) const {
    auto const found = nodes_.find(node.text());
    if (found == nodes_.end() || leaving_.contains(found->second)) return std::nullopt;
    return found->second;
}

Status Peers::check_new(PeerKey const& key, Peer const& peer) const {
    if (auto const* known = find(key); known != nullptr && (known->name != peer.name || known->role != peer.role)) {
        return fail(Fault::refused, "this key is enrolled already, as '{}'; make a new key for '{}'", known->name,
                    peer.name);
    }
    if (peer.role != Role::node) return {};
    if (auto const found = nodes_.find(peer.name); found != nodes_.end() && found->second != key) {
        return fail(Fault::refused,
                    "a node named '{}' is enrolled already with another key; choose another name, or, if this machine "
                    "takes its place, take the old one out of the fleet first: lull nodes remove {}",
                    peer.name, peer.name);
    }
    return {};
}

void Peers::add(PeerKey const& key, Peer peer) {
    if (peer.role == Role::node) {
        nodes_[peer.name] = key;
        auto const [known, fresh] = numbers_.try_emplace(key, static_cast<NodeNumber>(numbered_.size()));
        if (fresh) {
            numbered_.push_back({peer.name, key, false});
        } else {
            numbered_[known->second].name = peer.name;
        }
    }
    peers_[key] = std::move(peer);
}

void Peers::remove(PeerKey const& node) {
    leaving_.erase(node);
    auto const known = peers_.find(node);
    if (known == peers_.end()) return;
    nodes_.erase(known->second.name);
    peers_.erase(known);
    auto const number = numbers_.find(node);
    numbered_[number->second].removed = true;
    numbers_.erase(number);
}

bool Peers::is_enrolled(NodeNumber number) const {
    return number < numbered_.size() && !numbered_[number].removed && !leaving_.contains(numbered_[number].key);
}

std::optional<NodeNumber> Peers::number_of(PeerKey const& node) const {
    auto const found = numbers_.find(node);
    if (found == numbers_.end()) return std::nullopt;
    return found->second;
}

store::Change Peers::change(PeerKey const& key, Peer const& peer) {
    return {table, to_buffer(key.bytes()), encode(peer)};
}

store::Change Peers::removal(PeerKey const& key) { return {table, to_buffer(key.bytes()), std::nullopt}; }

TrustedKeys Peers::publishers() const {
    std::vector<Ed25519Public> keys;
    for (auto const& [key, peer] : peers_) {
        if (peer.role != Role::node && peer.signing) keys.push_back(*peer.signing);
    }
    return TrustedKeys(std::move(keys));
}

}  // namespace lull::broker
