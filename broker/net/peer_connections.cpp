#include "broker/net/peer_connections.hpp"

namespace lull::broker {

void PeerConnections::seen(PeerKey const& peer, int descriptor) {
    auto const connection = TcpConnection::of(descriptor);
    if (!connection) return;
    auto& known = connections_[peer];
    std::erase_if(known, [](TcpConnection const& one) { return !one.alive(); });
    for (auto const& one : known) {
        if (one == *connection) return;
    }
    if (known.size() == most) known.erase(known.begin());
    known.push_back(*connection);
}

void PeerConnections::shut_down(PeerKey const& peer) {
    auto const found = connections_.find(peer);
    if (found == connections_.end()) return;
    for (auto const& connection : found->second) connection.shut_down();
    connections_.erase(found);
}

std::size_t PeerConnections::of(PeerKey const& peer) const {
    auto const found = connections_.find(peer);
    return found == connections_.end() ? 0 : found->second.size();
}

}  // namespace lull::broker
