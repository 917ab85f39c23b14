#include <catch2/catch.hpp>

#include "broker/net/authenticator.hpp"
#include "broker_fixture.hpp"

namespace authenticator_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

TEST_CASE("enrolled keys are admitted as soon as they are, others are told to come back") {
    Peers peers;
    Log log("test", LogLevel::error);
    Authenticator authenticator(peers, log);
    auto const key = peer_key(1).bytes();
    CHECK(authenticator.decide(key, "127.0.0.1", TimePoint()) == Admission::not_now);
    peers.add(peer_key(1), {"till-1", Role::node, std::nullopt, {}});
    CHECK(authenticator.decide(key, "127.0.0.1", TimePoint()) == Admission::admit);
    CHECK(authenticator.decide(peer_key(2).bytes(), "127.0.0.1", TimePoint()) == Admission::not_now);
}

TEST_CASE("the stranger that we send ourselves is recognised") {
    Peers const peers;
    Log log("test", LogLevel::error);
    Authenticator authenticator(peers, log);
    authenticator.expect_stranger(peer_key(7).bytes());
    (void)authenticator.decide(peer_key(8).bytes(), "127.0.0.1", TimePoint());
    CHECK(!authenticator.stranger_came());
    CHECK(authenticator.decide(peer_key(7).bytes(), "127.0.0.1", TimePoint()) == Admission::not_now);
    CHECK(authenticator.stranger_came());
}

TEST_CASE("thousands of nodes that come at once are let in at the rate of handshakes, operators at any time") {
    Peers peers;
    peers.add(peer_key(1), {"till-1", Role::node, std::nullopt, {}});
    peers.add(peer_key(2), {"admin", Role::operator_, std::nullopt, {}});
    Log log("test", LogLevel::error);
    Authenticator authenticator(peers, log);
    TimePoint now{};
    auto const admitted = [&](int knocks) {
        int count = 0;
        for (int i = 0; i < knocks; ++i)
            count += authenticator.decide(peer_key(1).bytes(), "127.0.0.1", now) == Admission::admit ? 1 : 0;
        return count;
    };
    int const rate = static_cast<int>(Authenticator::nodes_a_second);
    CHECK(admitted(5000) == rate);
    CHECK(authenticator.decide(peer_key(2).bytes(), "127.0.0.1", now) == Admission::admit);
    now += std::chrono::milliseconds(500);
    CHECK(admitted(5000) == rate / 2);
    now += std::chrono::hours(1);
    CHECK(admitted(5000) == rate);  // patience is not saved up
}

}  // namespace authenticator_test
