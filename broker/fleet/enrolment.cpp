#include "broker/fleet/enrolment.hpp"

#include <algorithm>

namespace lull::broker {

void Enrolment::enrol(SessionId session, Admin const& message, Moment now, std::function<void(Moment)> then) {
    if (!message.node || !message.key)
        return effects_.refuse(session, Refusal::invalid, "a new node needs a name and a key");
    Peer const peer{message.node->text(), Role::node, std::nullopt, now.wall};
    if (auto fits = peers_.check_new(*message.key, peer); !fits)
        return effects_.refuse(session, Refusal::conflict, fits.error().message);
    bool const taken = std::ranges::any_of(
        pending_, [&](auto const& other) { return other.first == peer.name || other.second == *message.key; });
    if (taken) return effects_.refuse(session, Refusal::conflict, "another operator is enrolling this node just now");
    pending_.emplace(peer.name, *message.key);
    effects_.persist({Peers::change(*message.key, peer)}, [this, session, key = *message.key, peer,
                                                           then = std::move(then)](Status const& status, Moment later) {
        pending_.erase({peer.name, key});
        if (!status) {
            return effects_.refuse(session, Refusal::no_space,
                                   fmt::format("the broker could not record the node: {}", status.error().message));
        }
        peers_.add(key, peer);
        effects_.say(LogLevel::info, fmt::format("enrolled node '{}'", peer.name));
        then(later);
    });
}

}  // namespace lull::broker
