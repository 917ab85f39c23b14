#pragma once

#include <deque>

#include "tests/sim/sim_broker.hpp"

namespace lull::sim {

// Publishes releases one after the other: OFFER, PUT what is asked for, UPDATE again and again until COMMITTED, and all
// of it again from the beginning when the broker is silent or refuses.
class SimPublisher final : public Peer {
public:
    SimPublisher(World& world, Network& network, SimBroker& broker, Library& library, Checker& checker,
                 PeerKey const& key);

    void publish(SoftwareName const& software, std::size_t number);
    // Goes back to an older release; if there is none, a new one.
    void go_back(SoftwareName const& software, std::size_t number);
    [[nodiscard]] bool idle() const { return waiting_.empty(); }
    // The newest release that this publisher was told is committed.
    [[nodiscard]] std::map<SoftwareName, Committed> const& newest() const { return newest_; }

    [[nodiscard]] PeerKey key() const override { return key_; }
    void connected(ConnectionId connection) override;
    void disconnected(ConnectionId connection) override;
    void heard(ConnectionId connection, Message const& message, Buffer const& payload) override;
    void announced(Message const&) override {}

private:
    void publish(MadeRelease release);
    void begin();
    void again_after(Duration delay);
    void send(Message const& message, Buffer const& payload = {}) { network_.to_hub(connection_, message, payload); }
    void put(Digest const& object);
    void emit_update();

    World& world_;
    Network& network_;
    SimBroker& broker_;
    Library& library_;
    Checker& checker_;
    PeerKey key_;
    std::deque<MadeRelease> waiting_;
    std::map<SoftwareName, Committed> newest_;
    std::map<SoftwareName, std::vector<VersionName>> committed_;
    ConnectionId connection_ = 0;
    std::uint64_t attempt_ = 0;
    TimePoint heard_{};
    bool stored_ = false;
};

}  // namespace lull::sim
