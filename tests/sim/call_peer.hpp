#pragma once

#include "tests/sim/call_checker.hpp"
#include "tests/sim/network.hpp"

namespace lull::sim {

// What a caller and an executor have in common: a session that is made anew when it breaks or stays silent, and a
// process that can be killed.
class CallPeer : public Peer {
public:
    struct Surroundings {
        World& world;
        Network& network;
        CallChecker& calls;
    };
    CallPeer(Surroundings const& around, std::string name, PeerKey const& key)
        : world_(around.world),
          network_(around.network),
          calls_(around.calls),
          name_(std::move(name)),
          key_(key) {}

    [[nodiscard]] std::string const& name() const { return name_; }
    [[nodiscard]] bool up() const { return up_; }
    void start();
    void kill();

    [[nodiscard]] PeerKey key() const final { return key_; }
    void connected(ConnectionId connection) final;
    void disconnected(ConnectionId connection) final;
    void heard(ConnectionId connection, Message const& message, Buffer const& payload) final;
    void announced(Message const&) final {}

protected:
    void send(Message const& message, Buffer const& payload = {}) { network_.to_hub(connection_, message, payload); }
    void later(Duration delay, std::function<void()> what);
    [[nodiscard]] bool is_open() const { return open_; }

    World& world_;
    Network& network_;
    CallChecker& calls_;

private:
    [[nodiscard]] virtual Message greeting() const = 0;
    virtual void welcomed(Welcome const& message) = 0;
    virtual void take(Message const& message, Buffer const& payload) = 0;
    virtual void lost() = 0;    // the session is over
    virtual void killed() = 0;  // everything in memory is gone
    void begin();
    void give_up();

    std::string name_;
    PeerKey key_;
    bool up_ = false;
    bool open_ = false;  // WELCOME came
    ConnectionId connection_ = 0;
    std::uint64_t life_ = 0;
    TimePoint heard_{};
};

}  // namespace lull::sim
