#include "broker/model/dispatch.hpp"

#include <catch2/catch.hpp>

namespace dispatch_test {

// A router that lacks a handler must not compile. The controls are such routers.

using namespace lull;
using namespace lull::broker;

namespace {

template <class... Messages>
struct Takes {
    template <class M>
    requires(std::same_as<M, Messages> || ...) void operator()(M) const {}
};

using AllButAck = Takes<Update, Offer, Put, Hello, Sync, Witness, Fetch, PatchQuery, Credit, Report, Ping, Pong, Admin,
                        Follow, Serve, CallOpen, Call, CallReady, CallState, CallData, CallCredit, CallCancel>;
using All = Overloaded<AllButAck, Takes<Ack>>;

struct AckByReference {
    void operator()(Ack&) const {}  // a message that is handed over does not fit
};
struct AckWithTime {
    void operator()(Ack, int) const {}
};

static_assert(HandlesEveryMessage<All>);
static_assert(!HandlesEveryMessage<AllButAck>);
static_assert(!HandlesEveryMessage<Overloaded<AllButAck, AckByReference>>);
static_assert(!HandlesEveryMessage<Overloaded<AllButAck, AckWithTime>>);

}  // namespace

TEST_CASE("a message goes to the handler of its type, and to none if no peer may send it") {
    int acks = 0;
    auto const router = [&](Message message) {
        return dispatch(std::move(message), Overloaded{AllButAck(), [&](Ack const& ack) {
                                                           acks += static_cast<int>(ack.received.count());
                                                       }});
    };
    CHECK(router(Ack{Bytes(7)}));
    CHECK(acks == 7);
    CHECK(router(Ping{}));
    CHECK_FALSE(router(Welcome{}));
    CHECK(acks == 7);
}

}  // namespace dispatch_test
