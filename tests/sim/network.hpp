#pragma once

#include <map>
#include <set>

#include "schema/messages.hpp"
#include "tests/sim/world.hpp"

namespace lull::sim {

using ConnectionId = std::uint64_t;

// What can go wrong between broker and peers. Probabilities.
struct NetworkFaults {
    double announcement_lost = 0;  // one node's copy
    double announcement_twice = 0;
    double announcement_late = 0;  // seconds later, behind others
    double message_lost = 0;       // a single message of a session; TCP never does that, a full queue may
    double message_twice = 0;
    double session_breaks = 0;  // with a message: whatever is under way in both directions is lost
    double break_untold = 0;    // the peer is not told of it
};

// A node or a publisher, as the network sees it.
class Peer {
public:
    virtual ~Peer() = default;
    [[nodiscard]] virtual PeerKey key() const = 0;
    virtual void connected(ConnectionId connection) = 0;
    virtual void disconnected(ConnectionId connection) = 0;
    virtual void heard(ConnectionId connection, Message const& message, Buffer const& payload) = 0;
    virtual void announced(Message const& message) = 0;
    // Whether this is announced on a topic that it has subscribed to.
    [[nodiscard]] virtual bool subscribes(Message const&) const { return true; }
};

// The broker, as the network sees it.
class Hub {
public:
    virtual ~Hub() = default;
    [[nodiscard]] virtual bool up() const = 0;
    virtual void arrived(ConnectionId connection, PeerKey const& peer, Message const& message,
                         Buffer const& payload) = 0;
    virtual void gone(ConnectionId connection) = 0;
    [[nodiscard]] virtual Head welcome() const = 0;
    // As the authenticator decides.
    [[nodiscard]] virtual bool admits(PeerKey const& peer) const = 0;
};

// Announcements, and sessions of the exchange: each direction keeps its order, with random latency.
class Network {
public:
    explicit Network(World& world) : world_(world) {}

    void attach(Hub& hub) { hub_ = &hub; }
    void set(NetworkFaults const& faults) { faults_ = faults; }
    // A planted bug: after a break the shell goes on answering pings as if nothing had happened.
    void hide_breaks() { breaks_hidden_ = true; }

    // ---- for peers ----
    void subscribe(Peer& peer);
    void unsubscribe(Peer& peer) { subscribers_.erase(peer.key()); }
    [[nodiscard]] ConnectionId connect(Peer& peer);  // tells connected() or disconnected()
    void disconnect(ConnectionId connection) { connections_.erase(connection); }
    void to_hub(ConnectionId connection, Message const& message, Buffer const& payload);

    // ---- for the hub ----
    void to_peer(ConnectionId connection, Message const& message, Buffer const& payload);
    void announce(Message const& message);
    void hub_went_down();
    void hub_came_up();

    void break_session(ConnectionId connection);
    void close_all(PeerKey const& peer);

    // ---- partitions ----
    // Silence: nothing passes between this peer and the hub, and nobody is told. What was connected stays dead for
    // good, as behind a router that has lost its table.
    void cut_off(Peer const& peer);
    void reconnect(Peer& peer);

    // ---- bytes ----
    // From now on counts what each peer is sent and sends: bodies, headers, payloads.
    void count_bytes() { counting_ = true; }
    [[nodiscard]] Bytes carried(Peer const& peer) const;

private:
    struct Subscriber {
        Peer* peer = nullptr;
        Lane lane;
    };
    struct Connection {
        Peer* peer = nullptr;
        bool broken = false;
        Lane up;
        Lane down;
    };
    [[nodiscard]] Duration latency();
    [[nodiscard]] Connection* find(ConnectionId connection);
    [[nodiscard]] unsigned copies();
    void announce_to(Peer& peer, Message const& message, Duration delay);
    void welcome_again(Peer& peer, Duration within);
    [[nodiscard]] bool silent(PeerKey const& peer) const { return cut_off_.contains(peer); }
    void count(Peer const& peer, Message const& message, Buffer const& payload);

    World& world_;
    Hub* hub_ = nullptr;
    NetworkFaults faults_;
    bool breaks_hidden_ = false;
    bool counting_ = false;
    std::map<PeerKey, Bytes> carried_;
    std::set<PeerKey> cut_off_;
    std::map<PeerKey, Subscriber> subscribers_;  // in an order that is the same in every run
    std::map<ConnectionId, Connection> connections_;
    ConnectionId last_ = 0;
};

}  // namespace lull::sim
