#include <catch2/catch.hpp>

#include "broker/net/connections.hpp"
#include "broker_fixture.hpp"

namespace connections_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

TEST_CASE("a connection keeps its session until it is forgotten, and numbers are never used again") {
    Connections connections(10);
    auto const first = connections.session_of("a", peer_key(1));
    REQUIRE(first);
    CHECK(!first->ended);
    CHECK(connections.session_of("a", peer_key(1))->session == first->session);
    CHECK(connections.session_of("b", peer_key(1))->session != first->session);
    CHECK(*connections.routing_id(first->session) == "a");

    connections.forget(first->session);
    CHECK(connections.routing_id(first->session) == nullptr);
    auto const again = connections.session_of("a", peer_key(1));
    CHECK(again->session > first->session);
    CHECK(connections.size() == 2);
    connections.forget(first->session);
    CHECK(connections.size() == 2);
}

TEST_CASE("a routing id that another key uses begins another session") {
    Connections connections(10);
    auto const first = connections.session_of("a", peer_key(1));
    auto const second = connections.session_of("a", peer_key(2));
    REQUIRE(second);
    CHECK(second->session != first->session);
    CHECK(second->ended == first->session);
    CHECK(connections.routing_id(first->session) == nullptr);
    CHECK(connections.size() == 1);
}

TEST_CASE("the table of connections is bounded") {
    Connections connections(2);
    auto const first = connections.session_of("a", peer_key(1));
    (void)connections.session_of("b", peer_key(2));
    CHECK(!connections.session_of("c", peer_key(3)));
    CHECK(connections.session_of("a", peer_key(1)));
    connections.forget(first->session);
    CHECK(connections.session_of("c", peer_key(3)));
}

}  // namespace connections_test
