#include "broker/fleet/presence_sweep.hpp"

#include <catch2/catch.hpp>

#include "broker_fixture.hpp"

namespace presence_sweep_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

constexpr std::int64_t minute = 60'000'000;
WallTime at(std::int64_t minutes) { return WallTime{1'000'000'000 + minutes * minute}; }

struct Alone final : FleetObserver {
    explicit Alone(std::uint64_t nodes) {
        for (std::uint64_t i = 0; i < nodes; ++i) {
            peers.add(peer_key(1000 + i), {fmt::format("node-{:05}", i), Role::node, std::nullopt, {}});
            last_seen.heard(peer_key(1000 + i), at(0));
        }
        presence.observe(*this);
    }
    void reported(SoftwareName const&, NodeNumber, NodeReport const&) override {}
    void presence_changed(NodeNumber, Presence) override { ++changes; }
    void removed(NodeNumber) override {}
    void sweep(WallTime now) {
        presence.sweep([this](PeerKey const& node) { return connected.contains(node); }, now);
    }

    Peers peers;
    LastSeen last_seen;
    NodeStatusTable node_status;
    PresenceSweep presence{peers, last_seen, node_status, std::chrono::minutes(45)};
    std::set<PeerKey> connected;
    std::size_t changes = 0;
};

}  // namespace

TEST_CASE("the first sweep looks at all nodes") {
    Alone alone(30'000);
    alone.sweep(at(100));
    CHECK(alone.presence.away() == 30'000);
}

TEST_CASE("a node is away when it is not connected and has been silent for longer than the broker waits") {
    Alone alone(3);
    alone.connected.insert(peer_key(1001));
    alone.sweep(at(45));
    CHECK(alone.presence.away() == 0);
    alone.sweep(WallTime{at(45).micros + 1});
    CHECK(alone.presence.away() == 2);
    CHECK(alone.presence.of(1) == Presence::present);
    CHECK(alone.changes == 2);
    alone.presence.heard(peer_key(1000));
    CHECK(alone.presence.of(0) == Presence::present);
    CHECK(alone.presence.away() == 1);
    alone.presence.heard(peer_key(1000));
    alone.presence.heard(peer_key(5));  // no node
    CHECK(alone.changes == 3);
}

TEST_CASE("a tick looks at a fifteenth of a large fleet, and fifteen ticks look at all of it") {
    Alone alone(30'000);
    alone.sweep(at(1));
    CHECK(alone.presence.away() == 0);
    alone.sweep(at(100));
    CHECK(alone.presence.away() == 2001);
    for (int i = 0; i < 14; ++i) alone.sweep(at(100));
    CHECK(alone.presence.away() == 30'000);
}

}  // namespace presence_sweep_test
