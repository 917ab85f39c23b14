#pragma once

#include <unordered_map>
#include <vector>

#include "broker/fleet/node_number.hpp"
#include "broker/net/tcp_connection.hpp"
#include "schema/ids.hpp"

namespace lull::broker {

// The TCP connections of each peer, on all ports, as far as a message came by them: ZeroMQ does not close a connection
// of its own accord when a key is not admitted any more.
class PeerConnections {
public:
    // A message of this peer came by the socket of this descriptor.
    void seen(PeerKey const& peer, int descriptor);
    // Ends all connections of this peer, in both directions. ZeroMQ closes them.
    void shut_down(PeerKey const& peer);

    [[nodiscard]] std::size_t of(PeerKey const& peer) const;

private:
    static constexpr std::size_t most = 16;  // of one peer; the oldest is forgotten
    std::unordered_map<PeerKey, std::vector<TcpConnection>, PeerKeyHash> connections_;
};

}  // namespace lull::broker
