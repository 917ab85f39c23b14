#include "publisher/client/exchange.hpp"

#include <catch2/catch.hpp>

#include "schema/wire.hpp"

namespace exchange_test {

using namespace lull;
using namespace lull::publisher;

namespace {

BrokerAddress broker() { return {"broker.example", 7700, PeerKey()}; }

std::vector<Frame> frames_of(Message const& message) {
    std::vector<Frame> frames;
    frames.push_back(to_frame(wire::encode_header(type_of(message))));
    frames.push_back(to_frame(wire::encode_body(message)));
    return frames;
}

}  // namespace

TEST_CASE("the reason differs for a broker that is not there and one that does not accept the key") {
    LinkHistory link;
    CHECK_FALSE(link.ready());
    CHECK_THAT(link.why_not(broker()),
               Catch::StartsWith("no broker listens at broker.example:7702: check that lull-broker runs there"));

    link.note(LinkEvent::other);
    link.note(LinkEvent::connected);
    CHECK_THAT(link.why_not(broker()), Catch::Contains("too busy to answer"));
    link.note(LinkEvent::disconnected);
    CHECK_THAT(link.why_not(broker()),
               Catch::StartsWith("broker.example:7702 answered but did not accept your key: wrong broker key"));
    CHECK_FALSE(link.ready());

    link.note(LinkEvent::handshake_done);
    CHECK(link.ready());
    CHECK(link.why_not(broker()).empty());
    link.note(LinkEvent::disconnected);
    CHECK_FALSE(link.ready());
    CHECK(link.why_not(broker()).empty());
}

TEST_CASE("a handshake that is refused means that a peer listens") {
    LinkHistory link;
    link.note(LinkEvent::handshake_refused);
    CHECK_THAT(link.why_not(broker()), Catch::Contains("not enrolled there"));
}

TEST_CASE("frames of the exchange are a header and a body, and nothing else is believed") {
    auto const pong = read_exchange(frames_of(Pong{7}));
    REQUIRE(pong);
    REQUIRE(*pong);
    CHECK(std::get<Pong>(**pong) == Pong{7});

    std::vector<Frame> probe(1);
    CHECK_FALSE(read_exchange(probe));

    auto three = frames_of(Pong{7});
    three.emplace_back(4);
    CHECK(read_exchange(three)->error().fault == Fault::damaged);

    auto newer = frames_of(Pong{7});
    newer[0].data<std::uint8_t>()[0] = wire::version + 1;
    CHECK_THAT(read_exchange(newer)->error().message, Catch::Contains("protocol version 2"));
    std::vector<Frame> none;
    CHECK(read_exchange(none)->error().fault == Fault::damaged);
}

}  // namespace exchange_test
