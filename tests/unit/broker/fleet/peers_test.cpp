#include <catch2/catch.hpp>

#include "broker_fixture.hpp"

namespace peers_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

Peer node(std::string name) { return {std::move(name), Role::node, std::nullopt, WallTime{5}}; }

}  // namespace

TEST_CASE("a peer comes back from its record as it was") {
    Peer const peer{"ci", Role::publisher, SigningKey::generate().public_key(), WallTime{123}};
    auto const change = Peers::change(peer_key(9), peer);
    CHECK(change.table == "peers");

    Peers peers;
    REQUIRE(peers.load(change.key, *change.value));
    auto const* found = peers.find(peer_key(9));
    REQUIRE(found != nullptr);
    CHECK(found->name == "ci");
    CHECK(found->role == Role::publisher);
    CHECK(found->signing == peer.signing);
    CHECK(found->enrolled == peer.enrolled);
    CHECK(peers.find(peer_key(10)) == nullptr);
}

TEST_CASE("a damaged record of a peer is refused and names the table") {
    Peers peers;
    auto const change = Peers::change(peer_key(9), node("a"));
    auto const short_key = peers.load(View(change.key).first(31), *change.value);
    REQUIRE(!short_key);
    CHECK(short_key.error().fault == Fault::damaged);
    CHECK(short_key.error().message.find("'peers'") != std::string::npos);
    auto const cut_value = peers.load(change.key, View(*change.value).first(change.value->size() - 1));
    REQUIRE(!cut_value);
    CHECK(cut_value.error().message.find("'peers'") != std::string::npos);
}

TEST_CASE("a node is found by its name, other roles have no place among the nodes") {
    Peers peers;
    peers.add(peer_key(1), node("till-1"));
    peers.add(peer_key(2), {"till-2", Role::publisher, std::nullopt, {}});
    CHECK(peers.key_of(node_name("till-1")) == peer_key(1));
    CHECK(!peers.key_of(node_name("till-2")));
    CHECK(peers.nodes().size() == 1);
}

TEST_CASE("neither a key nor the name of a node can be enrolled twice, but the same enrolment may be repeated") {
    Peers peers;
    peers.add(peer_key(1), node("till-1"));
    CHECK(peers.check_new(peer_key(1), node("till-1")));
    CHECK(peers.check_new(peer_key(2), node("till-2")));
    CHECK(!peers.check_new(peer_key(1), node("till-2")));
    CHECK(!peers.check_new(peer_key(2), node("till-1")));
    CHECK(!peers.check_new(peer_key(1), {"till-1", Role::operator_, std::nullopt, {}}));
    CHECK(peers.check_new(peer_key(3), {"till-1", Role::publisher, std::nullopt, {}}));
}

TEST_CASE("the signatures of publishers and operators count, those of nodes do not") {
    auto const of_node = SigningKey::generate().public_key();
    auto const of_publisher = SigningKey::generate().public_key();
    auto const of_operator = SigningKey::generate().public_key();
    Peers peers;
    peers.add(peer_key(1), {"n", Role::node, of_node, {}});
    peers.add(peer_key(2), {"p", Role::publisher, of_publisher, {}});
    peers.add(peer_key(3), {"o", Role::operator_, of_operator, {}});
    auto const trusted = peers.publishers();
    CHECK(trusted.keys().size() == 2);
    CHECK(trusted.contains(of_publisher));
    CHECK(trusted.contains(of_operator));
    CHECK(!trusted.contains(of_node));
}

}  // namespace peers_test
