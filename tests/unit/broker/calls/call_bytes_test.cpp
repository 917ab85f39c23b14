#include <catch2/catch.hpp>

#include "broker/calls/call_flow.hpp"
#include "broker/calls/call_pacer.hpp"
#include "tests/unit/broker/calls/calls_fixture.hpp"

namespace call_bytes_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t caller = 0;
constexpr std::size_t executor = 1;

Actions permit(CallWorld& world, std::size_t node, CallStream stream, Bytes permitted) {
    return world.from_node(node, CallCredit{call_id(1), stream, permitted});
}

std::vector<Send> data_to(Actions const& actions, std::size_t node) {
    std::vector<Send> found;
    for (auto& send : all<Send>(actions)) {
        if (send.session == World::at_node(node) && std::holds_alternative<CallData>(send.message))
            found.push_back(std::move(send));
    }
    return found;
}

}  // namespace

TEST_CASE("a small payload takes credit for 4 KiB, an empty one takes none") {
    CHECK(credit_for(Bytes(0)) == Bytes(0));
    CHECK(credit_for(Bytes(1)) == KiB(4));
    CHECK(credit_for(KiB(4)) == KiB(4));
    CHECK(credit_for(KiB(64)) == KiB(64));
}

TEST_CASE("a flow grants what the receiver permits, at most a window ahead of what has been passed on") {
    CallFlow flow;
    CHECK(flow.wish(CallStream::out, KiB(256)) == Bytes());
    flow.permit(CallStream::out, MiB(9));
    CHECK(flow.wish(CallStream::out, KiB(256)) == KiB(256));
    CHECK(flow.wish(CallStream::out, KiB(16)) == KiB(16));
    CHECK(flow.wish(CallStream::err, KiB(256)) == Bytes());
    CHECK(flow.grant(CallStream::out, KiB(256)) == KiB(256));
    CHECK(flow.wish(CallStream::out, KiB(256)) == Bytes());
    REQUIRE(flow.pass(CallStream::out, Bytes(), KiB(64), false));
    CHECK(flow.wish(CallStream::out, KiB(256)) == Bytes());  // what was permitted beyond the window did not count
    flow.permit(CallStream::out, MiB(9));
    CHECK(flow.wish(CallStream::out, KiB(256)) == KiB(64));
    flow.permit(CallStream::out, KiB(1));
    CHECK(flow.wish(CallStream::out, KiB(256)) == KiB(64));  // a late one takes nothing back
    CHECK(flow.passed(CallStream::out) == KiB(64));
}

TEST_CASE("a frame passes only if it is the next one and within what was granted") {
    CallFlow flow;
    flow.permit(CallStream::in, KiB(256));
    CHECK_FALSE(flow.pass(CallStream::in, Bytes(), Bytes(1), false));  // permitted, and not granted
    (void)flow.grant(CallStream::in, KiB(12));
    CHECK_FALSE(flow.pass(CallStream::in, Bytes(1), Bytes(1), false));
    CHECK_FALSE(flow.pass(CallStream::in, Bytes(), Bytes(0), false));
    CHECK_FALSE(flow.pass(CallStream::in, Bytes(), KiB(13), false));
    CHECK(flow.pass(CallStream::in, Bytes(), KiB(4) + Bytes(1), false));
    CHECK_FALSE(flow.pass(CallStream::in, Bytes(), Bytes(1), false));  // again
    CHECK(flow.pass(CallStream::in, KiB(4) + Bytes(1), Bytes(2), false));
    CHECK_FALSE(flow.pass(CallStream::in, KiB(4) + Bytes(3), Bytes(1), false));  // 4 KiB less a byte are left
    CHECK(flow.pass(CallStream::in, KiB(4) + Bytes(3), Bytes(0), true));
    CHECK_FALSE(flow.pass(CallStream::in, KiB(4) + Bytes(3), Bytes(0), true));
    CHECK(flow.passed(CallStream::in) == KiB(4) + Bytes(3));
    (void)flow.grant(CallStream::out, MiB(1));
    CHECK_FALSE(flow.pass(CallStream::out, Bytes(), limits::call_frame + Bytes(1), false));
}

TEST_CASE("the pacer gives out its rate and no more") {
    CallPacer pacer(ByteRate(1'000'000));
    TimePoint now{1h};
    CHECK(pacer.take(MiB(9), KiB(32), now) == KiB(256));
    CHECK(pacer.take(KiB(32), KiB(32), now) == Bytes());
    auto const when = pacer.when(KiB(32), now);
    CHECK(when - now > 32ms);
    CHECK(when - now < 34ms);
    CHECK(pacer.take(KiB(32), KiB(32), when) == KiB(32));
    Bytes sum;
    auto const begin = now = when;
    while (now < begin + 10s) {
        sum += pacer.take(KiB(100), KiB(4), now);
        now = pacer.when(KiB(4), now);
    }
    CHECK(sum.count() > 9'900'000);
    CHECK(sum.count() < 10'100'000);
}

TEST_CASE("credit of the receiver reaches the sender after CALL-GO, and bytes go on at once") {
    CallWorld world;
    world.serve(executor);
    world.call(caller, 1);
    CHECK(all<Send>(permit(world, caller, CallStream::out, KiB(256))).empty());
    auto actions = world.ready(executor, 1);
    CHECK(only<CallCredit>(actions, World::at_node(executor)) == CallCredit{call_id(1), CallStream::out, KiB(256)});
    world.says(executor, 1, CallPhase::running);
    actions = world.data(executor, 1, CallStream::out, 0, 5);
    auto const passed = data_to(actions, caller);
    REQUIRE(passed.size() == 1);
    CHECK(passed[0].payload == bytes_of(5));
    CHECK(std::get<CallData>(passed[0].message) == CallData{call_id(1), CallStream::out, Bytes(0), false});

    actions = permit(world, executor, CallStream::in, KiB(64));
    CHECK(only<CallCredit>(actions, World::at_node(caller)) == CallCredit{call_id(1), CallStream::in, KiB(64)});
    CHECK(data_to(world.data(caller, 1, CallStream::in, 0, 3, true), executor).size() == 1);
}

TEST_CASE("credit for a stream counts only from its receiver") {
    CallWorld world;
    world.serve(executor);
    world.run(caller, executor, 1);
    CHECK(all<Send>(permit(world, caller, CallStream::in, KiB(64))).empty());
    CHECK(all<Send>(permit(world, executor, CallStream::out, KiB(64))).empty());
    CHECK(all<Send>(permit(world, 3, CallStream::out, KiB(64))).empty());
}

TEST_CASE("a sender that breaks the rules of the flow ends the call") {
    CallWorld world;
    world.serve(executor);
    world.run(caller, executor, 1);
    SECTION("the executor, without credit") {
        auto const actions = world.data(executor, 1, CallStream::out, 0, 5);
        CHECK(told(actions, caller).reason == CallReason::broken_flow);
        CHECK(sent<CallCancel>(actions, World::at_node(executor)).size() == 1);
        CHECK(data_to(actions, caller).empty());
    }
    SECTION("the executor, with a gap") {
        permit(world, caller, CallStream::err, KiB(64));
        CHECK(told(world.data(executor, 1, CallStream::err, 1, 5), caller).reason == CallReason::broken_flow);
    }
    SECTION("the caller, with bytes beyond the credit") {
        permit(world, executor, CallStream::in, KiB(16));
        auto const actions = world.data(caller, 1, CallStream::in, 0, KiB(16).count() + 1);
        CHECK(told(actions, caller).reason == CallReason::broken_flow);
        CHECK(data_to(actions, executor).empty());
    }
    CHECK(all<Send>(world.data(executor, 1, CallStream::out, 0, 5)).empty());  // it is over
}

TEST_CASE("bytes of another session are no part of a call") {
    CallWorld world;
    world.serve(executor);
    world.run(caller, executor, 1);
    permit(world, caller, CallStream::out, KiB(64));
    permit(world, executor, CallStream::in, KiB(64));
    CHECK(all<Send>(world.data(3, 1, CallStream::out, 0, 5)).empty());
    CHECK(all<Send>(world.data(caller, 1, CallStream::out, 0, 5)).empty());
    CHECK(all<Send>(world.data(executor, 1, CallStream::in, 0, 5)).empty());
    CHECK(data_to(world.data(executor, 1, CallStream::out, 0, 5), caller).size() == 1);
}

TEST_CASE("all calls together get --call-rate, and the broker wakes up when more may flow") {
    CallWorld world({.rate = ByteRate(1'000'000)});
    world.serve(executor);
    world.run(caller, executor, 1);
    permit(world, caller, CallStream::out, KiB(256));
    Bytes sent_bytes;
    Bytes granted = KiB(256);
    auto const begin = world.now.point;
    // The executor sends whatever it may, the caller takes it at once.
    while (world.now.point - begin < 10s) {
        while (sent_bytes + KiB(32) <= granted) {
            world.data(executor, 1, CallStream::out, sent_bytes.count(), KiB(32).count());
            sent_bytes += KiB(32);
            auto const actions = permit(world, caller, CallStream::out, sent_bytes + KiB(256));
            for (auto const& credit : sent<CallCredit>(actions, World::at_node(executor))) granted = credit.permitted;
        }
        auto const wake = world.broker.wake();
        REQUIRE(wake);
        REQUIRE(*wake > world.now.point);
        world.now.point = *wake;
        for (auto const& credit : sent<CallCredit>(world.on(TurnDue{}), World::at_node(executor)))
            granted = credit.permitted;
    }
    CHECK(sent_bytes.count() > 9'700'000);
    CHECK(sent_bytes.count() < 10'600'000);
}

TEST_CASE("what is on its way in all calls together is bounded, however many there are") {
    CallWorld world({.rate = ByteRate(1e12), .per_node = 1000, .per_minute = 1000});
    world.serve(executor, 1000);
    for (unsigned i = 1; i <= 900; ++i) world.call(caller, i);
    Bytes granted;
    for (unsigned i = 1; i <= 900; ++i) {
        world.from_node(caller, CallCredit{call_id(i), CallStream::out, KiB(256)});
        for (auto const& credit : sent<CallCredit>(world.ready(executor, i), World::at_node(executor)))
            granted += credit.permitted;
    }
    CHECK(granted > MiB(14));
    CHECK(granted < MiB(64));
}

}  // namespace call_bytes_test
