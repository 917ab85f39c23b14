#include <catch2/catch.hpp>

#include "tests/unit/broker/calls/calls_fixture.hpp"
#include "tests/unit/broker/publisher_fixture.hpp"

namespace daemon_calls_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

void enrol(Client& operator_, std::string_view name, Person const& node) {
    Admin admin;
    admin.verb = AdminVerb::nodes_new;
    admin.node = node_name(name);
    admin.key = PeerKey(node.curve.public_key);
    operator_.send(admin);
    (void)operator_.expect<Answer>();
}

// Sends all of it within credit, and gives it to the receiver, who takes it at once.
Buffer stream(Client& sender, Client& receiver, CallId const& id, CallStream which, Buffer const& bytes) {
    Buffer taken;
    std::uint64_t sent = 0;
    Bytes permitted;
    receiver.send(CallCredit{id, which, KiB(256)});
    while (sent < bytes.size()) {
        while (permitted.count() <= sent) permitted = sender.expect<CallCredit>().permitted;
        auto const size = std::min({permitted.count() - sent, bytes.size() - sent, limits::call_frame.count()});
        bool const last = sent + size == bytes.size();
        sender.send(CallData{id, which, Bytes(sent), last}, View(bytes).subspan(sent, size));
        sent += size;
        Buffer payload;
        auto const data = receiver.expect<CallData>(&payload);
        CHECK(data == CallData{id, which, Bytes(taken.size()), last});
        taken.insert(taken.end(), payload.begin(), payload.end());
        receiver.send(CallCredit{id, which, Bytes(taken.size()) + KiB(256)});
    }
    return taken;
}

}  // namespace

TEST_CASE("a call and its bytes go through the sockets, and after a restart it is unknown") {
    lull::test::TemporaryDirectory directory;
    Person const anna;
    Person const caller;
    Person const executor;
    auto const root = directory / "broker";
    REQUIRE(init(root, {anna.open("anna")}, "127.0.0.1:7700"));
    auto daemon = std::make_unique<RunningDaemon>(root);
    {
        Client operator_(daemon->address, anna.curve);
        enrol(operator_, "till-1", caller);
        enrol(operator_, "farm-1", executor);
    }
    auto release = sign(anna.signing, "1.0", random_bytes(1000));
    auto info = decode_update_info(release.update.payload).value();
    info.callable = std::vector<std::string>{"file"};
    release.update = seal(encode(info), domain::update_info, anna.signing);
    CHECK(publish(daemon->address, anna, release).seq == Seq{1});

    Call call;
    call.id = call_id(1);
    call.software = software("app");
    call.seq = Seq{1};
    {
        Client farm(daemon->address, executor.curve);
        farm.send(CallOpen{"lull-node 0.1.0"});
        (void)farm.expect<Welcome>();
        farm.send(Serve{{software("app")}, 1});
        farm.send(Ping{1});
        (void)farm.expect<Pong>();
        Client till(daemon->address, caller.curve);
        till.send(CallOpen{"lull-node 0.1.0"});
        call.life = till.expect<Welcome>().life.value();
        till.send(call);
        CHECK(till.expect<CallState>().phase == CallPhase::preparing);
        CHECK(farm.expect<CallOffer>().entry.update == release.update);
        farm.send(CallReady{call.id});
        (void)farm.expect<CallGo>();
        farm.send(CallState{call.id, CallPhase::running});
        CHECK(till.expect<CallState>().phase == CallPhase::running);

        auto const bytes = random_bytes(3'000'001);
        CHECK(stream(till, farm, call.id, CallStream::in, bytes) == bytes);
        CHECK(stream(farm, till, call.id, CallStream::out, bytes) == bytes);
        farm.send(CallData{call.id, CallStream::err, Bytes(), true});
        CHECK(till.expect<CallData>() == CallData{call.id, CallStream::err, Bytes(), true});

        CallState ended{call.id, CallPhase::ended};
        ended.result = CallResult{3, {}, 5, 7};
        farm.send(ended);
        auto const end = till.expect<CallState>();
        CHECK(end.phase == CallPhase::ended);
        CHECK(end.result == ended.result);
        CHECK(end.executor == node_name("farm-1"));
    }
    REQUIRE(daemon->stop());
    daemon = std::make_unique<RunningDaemon>(root);
    Client till(daemon->address, caller.curve);
    till.send(CallOpen{"lull-node 0.1.0"});
    CHECK(till.expect<Welcome>().life != call.life);
    till.send(call);
    auto const again = till.expect<CallState>();
    CHECK(again.phase == CallPhase::unknown);
    CHECK(again.reason == CallReason::other_life);
}

}  // namespace daemon_calls_test
