#pragma once

#include <deque>
#include <functional>

#include "tests/sim/checker.hpp"
#include "tests/sim/network.hpp"

namespace lull::sim {

// Somebody who orders this and that, one thing after the other, each with a connection of its own as the program `lull`
// has it, and again until there is an answer.
class SimOperator final : public Peer {
public:
    SimOperator(World& world, Network& network, Checker& checker, PeerKey const& key)
        : world_(world),
          network_(network),
          checker_(checker),
          key_(key) {}

    void knows(SoftwareName const& software) { software_.push_back(software); }
    void knows(NodeName const& node) { nodes_.push_back(node); }

    // Something, about anything.
    void act();
    // Takes a node out of the fleet; enrols it, with this key. Calls back when it is done.
    using Done = std::function<void()>;
    void remove(NodeName const& node, Done done);
    void enrol(NodeName const& node, PeerKey const& key, Done done);
    // Takes back every hold and pause that there is.
    void make_peace();
    [[nodiscard]] bool idle() const { return waiting_.empty(); }

    [[nodiscard]] PeerKey key() const override { return key_; }
    void connected(ConnectionId connection) override;
    void disconnected(ConnectionId connection) override;
    void heard(ConnectionId connection, Message const& message, Buffer const& payload) override;
    void announced(Message const&) override {}

private:
    [[nodiscard]] Admin something();
    [[nodiscard]] Admin hold();
    [[nodiscard]] NodeName some_node();
    void ask(Admin admin, Done done = {});
    void begin();
    void again_after(Duration delay);
    void answered(Answer const& answer);
    void done();

    World& world_;
    Network& network_;
    Checker& checker_;
    PeerKey key_;
    std::vector<SoftwareName> software_;
    std::vector<NodeName> nodes_;
    std::deque<Admin> waiting_;
    std::deque<Done> done_;                                             // of each of these
    std::vector<std::pair<std::optional<NodeName>, OrderScope>> held_;  // that were held at some time
    ConnectionId connection_ = 0;
    std::uint64_t attempt_ = 0;
    std::uint64_t given_ = 0;
    bool peaceful_ = false;
};

}  // namespace lull::sim
