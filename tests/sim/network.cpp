#include "tests/sim/network.hpp"

#include "schema/wire.hpp"

namespace lull::sim {

using namespace std::chrono_literals;

Duration Network::latency() { return world_.random().between(500us, 8ms); }

Network::Connection* Network::find(ConnectionId connection) {
    auto const found = connections_.find(connection);
    return found == connections_.end() ? nullptr : &found->second;
}

unsigned Network::copies() {
    if (world_.random().chance(faults_.message_lost)) return 0;
    return world_.random().chance(faults_.message_twice) ? 2 : 1;
}

// ---- announcements ----

void Network::subscribe(Peer& peer) {
    subscribers_[peer.key()].peer = &peer;
    if (hub_->up()) announce_to(peer, hub_->welcome(), latency());
}

void Network::announce_to(Peer& peer, Message const& message, Duration delay) {
    world_.after(delay, [this, &peer, message] {
        if (!subscribers_.contains(peer.key()) || silent(peer.key())) return;
        if (hub_->up() && !hub_->admits(peer.key())) return;
        count(peer, message, {});
        peer.announced(message);
    });
}

void Network::announce(Message const& message) {
    auto& random = world_.random();
    for (auto& [key, subscriber] : subscribers_) {
        if (!subscriber.peer->subscribes(message) || random.chance(faults_.announcement_lost)) continue;
        auto const late = random.chance(faults_.announcement_late);
        announce_to(*subscriber.peer, message,
                    late ? random.between(0s, 20s) : subscriber.lane.pass(world_.now(), latency()));
        if (random.chance(faults_.announcement_twice)) announce_to(*subscriber.peer, message, random.between(0s, 5s));
    }
}

void Network::hub_went_down() {
    for (auto const& [id, connection] : std::map(connections_)) break_session(id);
}

// Everybody's subscription is made anew, one after the other.
void Network::hub_came_up() {
    for (auto const& [key, subscriber] : subscribers_) welcome_again(*subscriber.peer, 10s);
}

void Network::welcome_again(Peer& peer, Duration within) {
    world_.after(world_.random().between(100ms, within), [this, &peer] {
        if (subscribers_.contains(peer.key()) && hub_->up()) announce_to(peer, hub_->welcome(), latency());
    });
}

// ---- partitions ----

void Network::cut_off(Peer const& peer) {
    cut_off_.insert(peer.key());
    for (auto& [id, connection] : connections_) {
        if (connection.peer == &peer) connection.broken = true;
    }
}

// Its subscription is made anew when the heartbeat has found out.
void Network::reconnect(Peer& peer) {
    if (cut_off_.erase(peer.key()) > 0) welcome_again(peer, 120s);
}

// ---- bytes ----

void Network::count(Peer const& peer, Message const& message, Buffer const& payload) {
    if (counting_)
        carried_[peer.key()] += Bytes(wire::header_size + wire::encode_body(message).size() + payload.size());
}

Bytes Network::carried(Peer const& peer) const {
    auto const found = carried_.find(peer.key());
    return found == carried_.end() ? Bytes() : found->second;
}

// ---- sessions ----

ConnectionId Network::connect(Peer& peer) {
    auto const id = ++last_;
    connections_[id].peer = &peer;
    world_.after(latency() * 2, [this, id] {
        auto* connection = find(id);
        if (connection == nullptr || connection->broken || silent(connection->peer->key())) return;
        if (!hub_->up()) return break_session(id);
        if (hub_->admits(connection->peer->key())) connection->peer->connected(id);
    });
    return id;
}

void Network::break_session(ConnectionId id) {
    auto* connection = find(id);
    if (connection == nullptr || connection->broken) return;
    world_.trace("network: connection {} breaks", id);
    connection->broken = true;
    if (breaks_hidden_ || world_.random().chance(faults_.break_untold)) return;
    world_.after(world_.random().between(1ms, 3s), [this, id] {
        if (auto* broken = find(id)) broken->peer->disconnected(id);
    });
}

void Network::close_all(PeerKey const& peer) {
    for (auto const& [id, connection] : std::map(connections_)) {
        if (connection.peer->key() == peer) world_.after(latency(), [this, id = id] { break_session(id); });
    }
}

void Network::to_hub(ConnectionId id, Message const& message, Buffer const& payload) {
    auto* connection = find(id);
    if (connection == nullptr) return;
    if (world_.random().chance(faults_.session_breaks)) break_session(id);
    if (connection->broken) {
        if (breaks_hidden_ && std::holds_alternative<Ping>(message)) {
            world_.after(latency(), [this, id] {
                if (auto* broken = find(id)) broken->peer->heard(id, Pong{}, {});
            });
        }
        return;
    }
    count(*connection->peer, message, payload);
    for (auto left = copies(); left > 0; --left) {
        world_.after(connection->up.pass(world_.now(), latency()), [this, id, message, payload] {
            auto* arriving = find(id);
            if (arriving != nullptr && !arriving->broken && hub_->up())
                hub_->arrived(id, arriving->peer->key(), message, payload);
        });
    }
}

void Network::to_peer(ConnectionId id, Message const& message, Buffer const& payload) {
    auto* connection = find(id);
    if (connection != nullptr && world_.random().chance(faults_.session_breaks)) break_session(id);
    if (connection == nullptr || connection->broken) {
        if (world_.random().chance(0.5))
            world_.after(Duration(1), [this, id] { hub_->gone(id); });  // EHOSTUNREACH, or not yet
        return;
    }
    count(*connection->peer, message, payload);
    for (auto left = copies(); left > 0; --left) {
        world_.after(connection->down.pass(world_.now(), latency()), [this, id, message, payload] {
            auto* arriving = find(id);
            if (arriving != nullptr && !arriving->broken) arriving->peer->heard(id, message, payload);
        });
    }
}

}  // namespace lull::sim
