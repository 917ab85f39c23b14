#include "broker/net/connections.hpp"

namespace lull::broker {

std::optional<Connections::Found> Connections::session_of(std::string_view routing_id, PeerKey const& peer) {
    std::string id(routing_id);
    std::optional<SessionId> ended;
    if (auto const known = sessions_.find(id); known != sessions_.end()) {
        if (connections_.at(known->second).peer == peer) return Found{known->second, false, std::nullopt};
        ended = known->second;
        forget(*ended);
    }
    if (connections_.size() >= most_) return std::nullopt;
    auto const session = ++last_;
    sessions_.emplace(id, session);
    connections_.emplace(session, Connection{std::move(id), peer});
    return Found{session, true, ended};
}

std::string const* Connections::routing_id(SessionId session) const {
    auto const found = connections_.find(session);
    return found == connections_.end() ? nullptr : &found->second.routing_id;
}

void Connections::forget(SessionId session) {
    auto const found = connections_.find(session);
    if (found == connections_.end()) return;
    sessions_.erase(found->second.routing_id);
    connections_.erase(found);
}

}  // namespace lull::broker
