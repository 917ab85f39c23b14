#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "broker/model/events.hpp"

namespace lull::broker {

// Which session belongs to which connection of the exchange: the decision code knows sessions, the socket knows routing
// ids.
class Connections {
public:
    explicit Connections(std::size_t most) : most_(most) {}

    struct Found {
        SessionId session = 0;
        bool fresh = false;
        std::optional<SessionId> ended;  // the session of another key that had this routing id before
    };
    // The session of this connection, a new one if there is none; nothing if the table is full. A peer may choose its
    // routing id, so a session never passes from one key to another.
    [[nodiscard]] std::optional<Found> session_of(std::string_view routing_id, PeerKey const& peer);

    // Where to send; null once the session is forgotten.
    [[nodiscard]] std::string const* routing_id(SessionId session) const;

    void forget(SessionId session);
    [[nodiscard]] std::size_t size() const { return connections_.size(); }

private:
    struct Connection {
        std::string routing_id;
        PeerKey peer;
    };
    std::size_t most_;
    SessionId last_ = 0;
    std::unordered_map<SessionId, Connection> connections_;
    std::unordered_map<std::string, SessionId> sessions_;
};

}  // namespace lull::broker
