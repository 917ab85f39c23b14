#include <catch2/catch.hpp>

#include "broker/net/authenticator_self_test.hpp"

namespace authenticator_self_test_test {

using namespace lull;
using namespace lull::broker;

namespace {

// A port that is guarded by a gate of our choice, and what the test finds out about it.
struct Guarded {
    explicit Guarded(Admission answer)
        : gate(context,
               [this, answer](CurveKey const&, std::string_view) {
                   turned = answer == Admission::not_now;
                   return answer;
               }),
          port(context, SocketKind::router) {
        port.secure(CurveServer{keys});
        REQUIRE(port.bind("tcp://127.0.0.1:*"));
        loop.watch(gate.socket(), [this] { gate.serve(); });
    }

    Status run(AuthenticatorSelfTest::Door const& door) {
        Status outcome;
        AuthenticatorSelfTest test(context, loop, CurveKeyPair::generate(), door);
        test.start([this] { return turned; },
                   [&](Status status) {
                       outcome = std::move(status);
                       loop.stop();
                   });
        loop.run();
        return outcome;
    }

    EventLoop loop;
    MessagingContext context;
    CurveKeyPair keys = CurveKeyPair::generate();
    bool turned = false;
    ZapHandler gate;
    Socket port;
};

}  // namespace

TEST_CASE("a port that refuses unknown keys passes") {
    Guarded guarded(Admission::not_now);
    CHECK(guarded.run({.endpoint = guarded.port.last_endpoint(), .key = guarded.keys.public_key}));
    CHECK(guarded.turned);
}

TEST_CASE("a port that admits an unknown key is found out") {
    Guarded guarded(Admission::admit);
    auto const outcome = guarded.run({.endpoint = guarded.port.last_endpoint(), .key = guarded.keys.public_key});
    REQUIRE(!outcome);
    CHECK(outcome.error().message.find("admits unknown keys") != std::string::npos);
}

TEST_CASE("a port that cannot be reached proves nothing") {
    Guarded guarded(Admission::not_now);
    auto const outcome = guarded.run({.endpoint = "tcp://127.0.0.1:1",
                                      .key = guarded.keys.public_key,
                                      .enough = std::chrono::milliseconds(50),
                                      .too_long = std::chrono::milliseconds(200)});
    REQUIRE(!outcome);
    CHECK(outcome.error().message.find("cannot connect to its own port") != std::string::npos);
}

}  // namespace authenticator_self_test_test
