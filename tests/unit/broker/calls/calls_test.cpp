#include "broker/calls/calls.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/broker/calls/calls_fixture.hpp"

namespace calls_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t caller = 0;
constexpr std::size_t executor = 1;
constexpr std::size_t other = 2;

template <class M>
std::size_t count(Actions const& actions, std::size_t node) {
    return sent<M>(actions, World::at_node(node)).size();
}

void check_refused(CallState const& state, CallReason reason, std::string const& text) {
    CHECK(state.phase == CallPhase::refused);
    CHECK(state.reason == reason);
    CHECK_THAT(state.text, Catch::Contains(text));
}

}  // namespace

TEST_CASE("a call is offered, begins on CALL-GO, and its result reaches the caller") {
    CallWorld world;
    world.serve(executor);
    auto call = CallWorld::request(1);
    call.arguments = {to_buffer(as_view("--size")), Buffer{std::byte{0xff}}};
    auto const offered = world.from_node(caller, call);
    auto const offer = only<CallOffer>(offered, World::at_node(executor));
    CHECK(offer.caller == node_name("node-0000"));
    CHECK(offer.program == "bin/solve");
    CHECK(offer.arguments == call.arguments);
    CHECK(offer.entry.seq == Seq{1});
    CHECK(offer.limits.time == 600);
    CHECK(told(offered, caller).phase == CallPhase::preparing);
    CHECK(told(offered, caller).executor == node_name("node-0001"));

    auto const went = world.ready(executor, 1);
    CHECK(only<CallGo>(went, World::at_node(executor)).id == call_id(1));
    CHECK(count<CallState>(went, caller) == 0);
    CHECK(told(world.says(executor, 1, CallPhase::running), caller).phase == CallPhase::running);
    auto const end = told(world.says(executor, 1, CallPhase::ended), caller);
    CHECK(end.phase == CallPhase::ended);
    CHECK(end.result == CallResult{0, {}, 5, 7});
    CHECK_FALSE(end.reason);
}

TEST_CASE("WELCOME has the life of the broker, also in a session for calls only") {
    CallWorld world;
    auto const hello = only<Welcome>(world.hello(caller), World::at_node(caller));
    CHECK(hello.life == CallWorld::life);
    auto const opened = world.from(9, World::node_key(caller), CallOpen{"lull-node 0.1.0"});
    CHECK(only<Welcome>(opened, 9).life == CallWorld::life);
    CHECK(world.broker.connected(World::node_key(caller)));
    world.serve(executor);
    CHECK(only<CallState>(world.from(9, World::node_key(caller), CallWorld::request(1)), 9).phase ==
          CallPhase::preparing);
}

TEST_CASE("a node has a bounded number of sessions for calls only") {
    CallWorld world({.sessions = 2});
    world.from(11, World::node_key(caller), CallOpen{});
    world.from(12, World::node_key(caller), CallOpen{});
    auto const third = world.from(13, World::node_key(caller), CallOpen{});
    CHECK(sent<Busy>(third, 13).size() == 1);
    CHECK(sent<Welcome>(third, 13).empty());
    world.on(SessionGone{11});
    CHECK(sent<Welcome>(world.from(14, World::node_key(caller), CallOpen{}), 14).size() == 1);
}

// ---- at most once ----

TEST_CASE("a repeated CALL is told what is known, and nothing is offered again") {
    CallWorld world;
    world.serve(executor);
    world.serve(other);
    world.call(caller, 1);
    auto again = world.call(caller, 1);
    CHECK(all<Send>(again).size() == 1);
    CHECK(told(again, caller).phase == CallPhase::preparing);
    world.ready(executor, 1);
    CHECK(told(world.call(caller, 1), caller).phase == CallPhase::running);
    world.says(executor, 1, CallPhase::running);
    world.says(executor, 1, CallPhase::ended);
    again = world.call(caller, 1);
    CHECK(all<Send>(again).size() == 1);
    CHECK(told(again, caller).result == CallResult{0, {}, 5, 7});
}

TEST_CASE("CALL-GO is sent once, however often CALL-READY comes") {
    CallWorld world;
    world.serve(executor);
    world.call(caller, 1);
    CHECK(count<CallGo>(world.ready(executor, 1), executor) == 1);
    CHECK(all<Send>(world.ready(executor, 1)).empty());
}

TEST_CASE("an executor whose call is not its own any more is told to stop") {
    CallWorld world;
    world.serve(executor);
    auto const actions = world.ready(executor, 77);
    CHECK(only<CallCancel>(actions, World::at_node(executor)).id == call_id(77));
    world.call(caller, 1);
    CHECK(count<CallCancel>(world.ready(other, 1), other) == 1);
    CHECK(count<CallGo>(world.ready(other, 1), other) == 0);
}

TEST_CASE("a call of another life of the broker is unknown and is not repeated") {
    CallWorld world;
    world.serve(executor);
    auto call = CallWorld::request(1);
    call.life = CallWorld::life + 1;
    auto const actions = world.from_node(caller, call);
    CHECK(all<Send>(actions).size() == 1);
    CHECK(told(actions, caller).phase == CallPhase::unknown);
    CHECK(told(actions, caller).reason == CallReason::other_life);
    CHECK_THAT(told(actions, caller).text, Catch::Contains("not repeated"));
}

TEST_CASE("an id belongs to the node that used it first") {
    CallWorld world;
    world.serve(executor);
    world.call(caller, 1);
    check_refused(told(world.call(other, 1), other), CallReason::invalid, "another node has used this id");
    CHECK(count<CallState>(world.from_node(other, CallCancel{call_id(1), {}}), caller) == 0);
}

TEST_CASE("an executor that is lost before CALL-GO is replaced by the next one") {
    CallWorld world;
    world.serve(executor);
    world.serve(other);
    world.call(caller, 1);
    auto const actions = world.gone(executor);
    CHECK(only<CallOffer>(actions, World::at_node(other)).id == call_id(1));
    CHECK(told(actions, caller).executor == node_name("node-0002"));
    CHECK(count<CallGo>(world.ready(other, 1), other) == 1);
}

TEST_CASE("an executor that is lost after CALL-GO is not replaced: the result is unknown") {
    CallWorld world;
    world.serve(executor);
    world.serve(other);
    world.call(caller, 1);
    world.ready(executor, 1);
    auto const actions = world.gone(executor);
    CHECK(count<CallOffer>(actions, other) == 0);
    CHECK(told(actions, caller).phase == CallPhase::unknown);
    CHECK(told(actions, caller).reason == CallReason::executor_lost);
    CHECK(told(world.call(caller, 1), caller).phase == CallPhase::unknown);
}

TEST_CASE("an executor that says HELLO again has lost its calls") {
    CallWorld world;
    world.serve(executor);
    world.run(caller, executor, 1);
    CHECK(told(world.hello(executor), caller).reason == CallReason::executor_lost);
}

TEST_CASE("an executor that begins before CALL-GO ends the call") {
    CallWorld world;
    world.serve(executor);
    world.call(caller, 1);
    auto const actions = world.says(executor, 1, CallPhase::running);
    CHECK(told(actions, caller).phase == CallPhase::unknown);
    CHECK(told(actions, caller).reason == CallReason::broken_flow);
    CHECK(count<CallCancel>(actions, executor) == 1);
    CHECK(count<CallGo>(world.ready(executor, 1), executor) == 0);
}

TEST_CASE("ids are remembered for ten minutes, and with no room for one more a new call is refused") {
    CallWorld world({.per_node = 1000, .per_minute = 1000, .known = 3, .shown = 1});
    world.serve(executor, 100);
    for (unsigned i = 1; i <= 3; ++i) {
        world.run(caller, executor, i);
        world.says(executor, i, CallPhase::ended);
    }
    check_refused(told(world.call(caller, 4), caller), CallReason::busy, "3 that it remembers");
    world.wait(9min);
    CHECK(told(world.call(caller, 1), caller).phase == CallPhase::ended);
    check_refused(told(world.call(caller, 5), caller), CallReason::busy, "3 that it remembers");
    world.wait(1min);
    CHECK(told(world.call(caller, 6), caller).phase == CallPhase::preparing);
    CHECK(told(world.call(caller, 3), caller).phase == CallPhase::ended);
}

TEST_CASE("an id that the broker has forgotten is not taken for a new call") {
    CallWorld world({.shown = 0});
    world.serve(executor);
    world.run(caller, executor, 2);
    world.says(executor, 2, CallPhase::ended);
    world.wait(10min);
    auto const again = world.call(caller, 2);
    CHECK(all<Send>(again).size() == 1);
    CHECK(told(again, caller).phase == CallPhase::unknown);
    CHECK_THAT(told(again, caller).text, Catch::Contains("does not remember it"));
    CHECK(told(world.call(caller, 1), caller).phase == CallPhase::unknown);
    CHECK(told(world.call(caller, 3), caller).phase == CallPhase::preparing);
    CHECK(told(world.call(other, 1), other).phase == CallPhase::preparing);  // each node has its own ids
}

TEST_CASE("a call that was refused does not run when its CALL comes again") {
    CallWorld world;
    check_refused(told(world.call(caller, 1), caller), CallReason::no_executor, "no connected node serves solver");
    world.serve(executor);
    auto const again = world.call(caller, 1);
    CHECK(all<Send>(again).size() == 1);
    check_refused(told(again, caller), CallReason::no_executor, "refused before");
    // Of each node the last 16 are known by their reason; those before are old.
    world.from_node(executor, Serve{});
    for (unsigned i = 2; i <= 17; ++i) world.call(caller, i);
    world.serve(executor);
    CHECK(told(world.call(caller, 1), caller).phase == CallPhase::unknown);
    CHECK(told(world.call(caller, 2), caller).phase == CallPhase::refused);
    CHECK(told(world.call(caller, 18), caller).phase == CallPhase::preparing);
}

// ---- who runs it ----

TEST_CASE("a call goes to the executor with the least load, by name among equals") {
    CallWorld world({.per_node = 100});
    world.serve(3, 4);
    world.serve(2, 2);
    CHECK(count<CallOffer>(world.call(caller, 1), 2) == 1);  // 0/2 and 0/4
    CHECK(count<CallOffer>(world.call(caller, 2), 3) == 1);  // 1/2 and 0/4
    CHECK(count<CallOffer>(world.call(caller, 3), 3) == 1);  // 1/2 and 1/4
    CHECK(count<CallOffer>(world.call(caller, 4), 2) == 1);  // 1/2 and 2/4
    CHECK(count<CallOffer>(world.call(caller, 5), 3) == 1);  // full and 2/4
}

TEST_CASE("an executor that refuses before CALL-GO is passed over, and the last refusal reaches the caller") {
    CallWorld world;
    world.serve(executor);
    world.serve(other);
    world.call(caller, 1);
    auto actions = world.says(executor, 1, CallPhase::refused, CallReason::not_allowed);
    CHECK(count<CallOffer>(actions, other) == 1);
    actions = world.says(other, 1, CallPhase::refused, CallReason::not_prepared);
    check_refused(told(actions, caller), CallReason::not_prepared, "node-0002: ");
    CHECK(count<CallOffer>(actions, executor) == 0);
}

TEST_CASE("calls wait while all slots are taken, and begin in the order in which they came") {
    CallWorld world;
    world.serve(executor, 1);
    world.run(caller, executor, 1);
    auto const waiting = told(world.call(caller, 2), caller);
    CHECK(waiting.phase == CallPhase::queued);
    CHECK_THAT(waiting.text, Catch::Contains("number 1 of the calls that wait for solver"));
    CHECK(told(world.call(other, 3), other).phase == CallPhase::queued);
    CHECK(only<CallOffer>(world.says(executor, 1, CallPhase::ended), World::at_node(executor)).id == call_id(2));
    CHECK(only<CallOffer>(world.serve(4, 1), World::at_node(4)).id == call_id(3));
}

TEST_CASE("a SERVE without software takes no further call, and those that it has go on") {
    CallWorld world;
    world.serve(executor);
    world.run(caller, executor, 1);
    world.from_node(executor, Serve{});
    check_refused(told(world.call(caller, 2), caller), CallReason::no_executor, "no connected node serves solver");
    CHECK(told(world.says(executor, 1, CallPhase::ended), caller).phase == CallPhase::ended);
    CHECK(world.broker.session_entries() > 0);
}

// ---- what is refused ----

TEST_CASE("what the signed release does not list is not offered to anybody") {
    CallWorld world;
    world.serve(executor);
    auto call = CallWorld::request(1);
    call.program = "bin/other";
    auto actions = world.from_node(caller, call);
    check_refused(told(actions, caller), CallReason::not_callable, "does not list 'bin/other' as callable");
    CHECK(count<CallOffer>(actions, executor) == 0);

    world.publish(make_release("kiosk", "1", {{"bin/kiosk", 100}}));
    world.from_node(executor, Serve{{software("solver"), software("kiosk")}, 2});
    call = CallWorld::request(2);
    call.software = software("kiosk");
    check_refused(told(world.from_node(caller, call), caller), CallReason::no_release, "no release 1 of kiosk");
    call.id = call_id(3);
    call.seq = Seq{2};
    check_refused(told(world.from_node(caller, call), caller), CallReason::not_callable, "lists no callable program");
    call.id = call_id(4);
    call.seq = Seq{3};
    check_refused(told(world.from_node(caller, call), caller), CallReason::no_release, "no release 3");
}

TEST_CASE("a caller that names no program gets the only one, or has to choose") {
    CallWorld world;
    auto release = make_release("solver", "2", {{"bin/solve", 100}});
    release.info.callable = std::vector<std::string>{"bin/solve", "bin/render"};
    world.publish(release);
    world.serve(executor);
    auto call = CallWorld::request(1);
    call.seq = Seq{2};
    check_refused(told(world.from_node(caller, call), caller), CallReason::invalid, "2 callable programs");
    call.id = call_id(2);
    call.program = "bin/render";
    CHECK(only<CallOffer>(world.from_node(caller, call), World::at_node(executor)).program == "bin/render");
}

TEST_CASE("a caller gets no more time than the broker allows") {
    CallWorld world({.time = 60s});
    world.serve(executor);
    auto call = CallWorld::request(1);
    call.limits.time = 61;
    check_refused(told(world.from_node(caller, call), caller), CallReason::time_limit, "60 s that this broker allows");
    call.id = call_id(2);
    call.limits = {5, KiB(1)};
    CHECK(only<CallOffer>(world.from_node(caller, call), World::at_node(executor)).limits == CallLimits{5, KiB(1)});
}

TEST_CASE("each bound on the calls of a node is named when it is reached") {
    CallWorld world({.per_node = 2, .per_minute = 3});
    world.serve(executor, 10);
    world.call(caller, 1);
    world.call(caller, 2);
    check_refused(told(world.call(caller, 3), caller), CallReason::too_many, "2 calls at once");
    CHECK(told(world.call(other, 4), other).phase == CallPhase::preparing);
    for (unsigned i = 1; i <= 2; ++i) {
        world.ready(executor, i);
        world.says(executor, i, CallPhase::ended);
    }
    world.call(caller, 5);
    check_refused(told(world.call(caller, 6), caller), CallReason::too_often, "3 calls in a minute");
    world.pass(20s);
    CHECK(told(world.call(caller, 7), caller).phase == CallPhase::preparing);
}

TEST_CASE("queue and table of calls have bounds") {
    CallWorld world({.per_node = 100, .queue = 1, .live = 3});
    world.serve(executor, 1);
    world.call(caller, 1);
    world.call(caller, 2);
    check_refused(told(world.call(caller, 3), caller), CallReason::busy, "1 calls wait for solver");
    world.serve(other, 1);
    world.call(caller, 4);
    check_refused(told(world.call(caller, 5), caller), CallReason::busy, "may have 3");
}

// ---- everything ends ----

TEST_CASE("the caller cancels a call that has not begun, and hears so at once") {
    CallWorld world;
    world.serve(executor, 1);
    world.call(caller, 1);
    world.call(caller, 2);
    auto actions = world.from_node(caller, CallCancel{call_id(2), {}});
    check_refused(told(actions, caller), CallReason::cancelled, "the caller cancelled");
    actions = world.from_node(caller, CallCancel{call_id(1), {}});
    check_refused(told(actions, caller), CallReason::cancelled, "the caller cancelled");
    CHECK(count<CallCancel>(actions, executor) == 1);
    CHECK(count<CallGo>(world.ready(executor, 1), executor) == 0);
    CHECK(all<Send>(world.from_node(caller, CallCancel{call_id(1), {}})).empty());
}

TEST_CASE("the slot of a cancelled call is free when its executor says so, or after its time") {
    CallWorld world;
    world.serve(executor, 1);
    world.call(caller, 1);
    world.from_node(caller, CallCancel{call_id(1), {}});
    CHECK(told(world.call(caller, 2), caller).phase == CallPhase::queued);
    CHECK(only<CallOffer>(world.says(executor, 1, CallPhase::refused), World::at_node(executor)).id == call_id(2));
    world.from_node(caller, CallCancel{call_id(2), {}});
    world.call(caller, 3);
    world.pass(30s);
    CHECK(only<CallOffer>(world.on(Tick{}), World::at_node(executor)).id == call_id(3));
}

TEST_CASE("the caller cancels a call that runs, and hears how it ended") {
    CallWorld world;
    world.serve(executor);
    world.run(caller, executor, 1);
    auto const actions = world.from_node(caller, CallCancel{call_id(1), {}});
    CHECK(only<CallCancel>(actions, World::at_node(executor)).reason == CallReason::cancelled);
    CHECK(count<CallState>(actions, caller) == 0);
    CHECK(all<Send>(world.from_node(caller, CallCancel{call_id(1), {}})).empty());
    auto const end = told(world.says(executor, 1, CallPhase::ended), caller);
    CHECK(end.phase == CallPhase::ended);
    CHECK(end.reason == CallReason::cancelled);
}

TEST_CASE("an executor that does not stop a cancelled call leaves it unknown") {
    CallWorld world;
    world.serve(executor);
    world.run(caller, executor, 1);
    world.from_node(caller, CallCancel{call_id(1), {}});
    world.pass(30s);
    auto const end = told(world.on(Tick{}), caller);
    CHECK(end.phase == CallPhase::unknown);
    CHECK(end.reason == CallReason::cancelled);
}

TEST_CASE("a call whose caller is lost is stopped, and its result is kept for a while") {
    CallWorld world;
    world.serve(executor);
    world.run(caller, executor, 1);
    CHECK(only<CallCancel>(world.gone(caller), World::at_node(executor)).reason == CallReason::caller_lost);
    world.says(executor, 1, CallPhase::ended);
    world.hello(caller);
    auto const end = told(world.call(caller, 1), caller);
    CHECK(end.phase == CallPhase::ended);
    CHECK(end.reason == CallReason::caller_lost);
}

TEST_CASE("the silence of every peer ends a call") {
    CallWorld world;
    world.serve(executor, 1);
    SECTION("in the queue") {
        world.run(other, executor, 9);
        world.call(caller, 1);
        world.pass(1min);
        check_refused(told(world.on(Tick{}), caller), CallReason::queue_time, "waited 1 min for a free slot");
    }
    SECTION("while an executor prepares: the next one is asked, if there is one") {
        world.serve(other, 1);
        world.call(caller, 1);
        auto const actions = world.wait(10min);
        CHECK(count<CallCancel>(actions, executor) == 1);
        CHECK(count<CallOffer>(actions, other) == 1);
        check_refused(told(world.wait(10min), caller), CallReason::not_prepared,
                      "node-0002 did not prepare it within 10 min");
    }
    SECTION("after CALL-GO") {
        world.call(caller, 1);
        world.ready(executor, 1);
        world.pass(1min);
        auto const end = told(world.on(Tick{}), caller);
        CHECK(end.phase == CallPhase::unknown);
        CHECK(end.reason == CallReason::not_started);
    }
}

TEST_CASE("a program that runs for too long is stopped by the broker too") {
    CallWorld world({.time = 60s});
    world.serve(executor);
    world.run(caller, executor, 1);
    world.pass(89s);
    CHECK(count<CallCancel>(world.on(Tick{}), executor) == 0);
    world.pass(1s);
    CHECK(only<CallCancel>(world.on(Tick{}), World::at_node(executor)).reason == CallReason::time_limit);
    world.pass(30s);
    auto const end = told(world.on(Tick{}), caller);
    CHECK(end.phase == CallPhase::unknown);
    CHECK(end.reason == CallReason::time_limit);
}

TEST_CASE("callers and executors that are quiet are pinged, so that a dead connection is found") {
    CallWorld world;
    world.serve(executor);
    world.run(caller, executor, 1);
    world.pass(6s);
    auto const actions = world.on(Tick{});
    CHECK(count<Ping>(actions, caller) == 1);
    CHECK(count<Ping>(actions, executor) == 1);
    CHECK(count<Ping>(actions, 5) == 0);
}

TEST_CASE("nothing is kept for sessions that have ended") {
    CallWorld world;
    auto const before = world.broker.session_entries();
    world.from(21, World::node_key(caller), CallOpen{});
    world.serve(executor);
    world.from(21, World::node_key(caller), CallWorld::request(1));
    CHECK(world.broker.session_entries() > before);
    world.on(SessionGone{21});
    world.from_node(executor, Serve{});
    world.says(executor, 1, CallPhase::refused);
    CHECK(world.broker.session_entries() == before);
}

// ---- what an operator sees ----

TEST_CASE("an operator sees the calls that run and the last ones") {
    CallWorld world({.shown = 2});
    world.serve(executor, 9);
    world.run(caller, executor, 1);  // runs on
    for (unsigned i = 2; i <= 4; ++i) {
        world.run(other, executor, i);
        world.pass(2s);
        world.says(executor, i, CallPhase::ended);
    }
    Admin question;
    question.verb = AdminVerb::calls;
    auto const rows = only<Answer>(world.from_operator(question), World::at_operator).calls.value();
    REQUIRE(rows.size() == 3);
    CHECK(rows[0].id == call_id(1));
    CHECK(rows[0].phase == CallPhase::running);
    CHECK(rows[0].took == 6'000'000);
    CHECK(rows[1].id == call_id(3));
    CHECK(rows[2].id == call_id(4));
    CHECK(rows[2].caller == node_name("node-0002"));
    CHECK(rows[2].executor == node_name("node-0001"));
    CHECK(rows[2].version == version("1"));
    CHECK(rows[2].phase == CallPhase::ended);
    CHECK(rows[2].took == 2'000'000);
    CHECK(rows[2].result == CallResult{0, {}, 5, 7});
    question.node = node_name("node-0000");
    CHECK(only<Answer>(world.from_operator(question), World::at_operator).calls->size() == 1);
}

TEST_CASE("the calls of an operator's table come in pages") {
    CallWorld world({.per_node = 1000, .per_minute = 2000});
    world.serve(executor, 1000);
    for (unsigned i = 1; i <= 600; ++i) world.call(caller, i);
    Admin question;
    question.verb = AdminVerb::calls;
    auto const first = only<Answer>(world.from_operator(question), World::at_operator);
    CHECK(first.calls->size() == limits::rows_per_answer);
    REQUIRE(first.next);
    question.cursor = *first.next;
    auto const second = only<Answer>(world.from_operator(question), World::at_operator);
    CHECK(second.calls->size() == 100);
    CHECK(second.calls->front().id == call_id(501));
    CHECK_FALSE(second.next);
}

}  // namespace calls_test
