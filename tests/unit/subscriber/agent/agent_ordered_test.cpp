#include <catch2/catch.hpp>

#include "tests/unit/subscriber/agent/orders_bench.hpp"

namespace agent_ordered_test {

// What a release goes through that is forced, paused, withdrawn, or has to wait for its turn.

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;
using namespace std::chrono_literals;

namespace {

constexpr auto everybody = std::numeric_limits<std::uint64_t>::max();

// Release 2 is ready, and somebody uses release 1.
void second_waits(Bench& bench) {
    second_staged(bench);
    bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, ""});
    bench.all_durable();
    REQUIRE(bench.state().phase == Phase::waiting);
}

bool asks_for_bytes(Actions const& actions) {
    return !sent<Fetch>(actions).empty() || !sent<PatchQuery>(actions).empty();
}

}  // namespace

// ---- withdrawn ----

TEST_CASE("a release that is withdrawn before it is heard of is not fetched, and reported as held") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_active(1);
    ordered(bench, for_all(5, {order(OrderKind::withdraw)}));
    auto actions = bench.record(2);
    Bench::append(actions, bench.all_durable());
    CHECK_FALSE(asks_for_bytes(actions));
    CHECK(last_report(actions).state == NodeState::held);
    CHECK(last_report(actions).why == "withdrawn by anna: because");
    CHECK(last_report(actions).active == Seq{1});
    CHECK_FALSE(asks_for_bytes(bench.idle(2h)));
}

TEST_CASE("a release that is withdrawn while it is fetched is fetched no further, and again if the order disappears") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_active(1);
    bench.record(2);
    REQUIRE(asks_for_bytes(bench.to_fetching(2)));
    auto const stopped = ordered(bench, for_all(5, {order(OrderKind::withdraw)}));
    CHECK(last_report(stopped).state == NodeState::held);
    CHECK_FALSE(bench.agent.fetcher().anything_missing());
    auto const late = bench.hear(Data{{Bench::segment(2).digest, ObjectCodec::raw, Bytes(50), Bytes(50)}, Bytes()},
                                 Bytes(50));
    CHECK_FALSE(any<StageRelease>(late));
    CHECK_FALSE(asks_for_bytes(bench.idle(1min)));

    auto again = ordered(bench, for_all(6, {}));
    CHECK(bench.state().phase == Phase::announced);
    if (bench.agent.link().state() == Link::State::closed) Bench::append(again, bench.reconnect(2));
    CHECK(only<MakePlan>(again).materials.release == Bench::id(2));
    bench.on(PlanMade{Bench::id(2), Plan{{Bench::segment(2)}}});
    CHECK(bench.state().phase == Phase::fetching);
    CHECK(bench.agent.fetcher().anything_missing());
}

TEST_CASE("a release that is withdrawn while its plan or its tree is made is kept back as soon as that is done") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_active(1);
    bench.record(2);
    SECTION("its plan") {
        bench.object_comes(Bench::manifest(2), Bytes(100));
        ordered(bench, for_all(5, {order(OrderKind::withdraw)}));
        CHECK_FALSE(asks_for_bytes(bench.on(PlanMade{Bench::id(2), Plan{{Bench::segment(2)}}})));
    }
    SECTION("its tree") {
        bench.to_fetching(2);
        bench.object_comes(Bench::segment(2).digest, Bytes(50));
        ordered(bench, for_all(5, {order(OrderKind::withdraw)}));
        CHECK_FALSE(any<ProbeUse>(bench.on(StageEnded{Bench::id(2), {}, {}})));
    }
    CHECK_FALSE(any<ProbeUse>(bench.all_durable()));
    CHECK(bench.state().phase == Phase::held);
}

TEST_CASE("a release that is withdrawn never becomes live, whoever ends, and a newer one takes its place") {
    Bench bench;
    second_waits(bench);
    CHECK(any<LetGo>(ordered(bench, for_all(5, {order(OrderKind::withdraw)}))));
    bench.on(UseMayHaveEnded{software()});
    bench.all_durable();
    CHECK(bench.state().phase == Phase::held);
    CHECK_FALSE(any<SwitchCurrent>(bench.idle(48h)));
    if (bench.agent.link().state() == Link::State::closed) bench.reconnect(2);
    bench.record(3);
    bench.to_active(3);
    CHECK(bench.state().phase == Phase::active);
}

TEST_CASE("a failed release that is withdrawn is not tried again") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.object_comes(Bench::manifest(1), Bytes(100));
    bench.on(PlanMade{Bench::id(1), fail(Fault::no_space, "no room")});
    bench.all_durable();
    REQUIRE(bench.state().phase == Phase::failed);
    ordered(bench, for_all(5, {order(OrderKind::withdraw, 1)}));
    CHECK_FALSE(any<MakePlan>(bench.idle(2h)));
    bench.all_durable();
    CHECK(bench.state().phase == Phase::held);
}

TEST_CASE("withdrawing what is live changes nothing") {
    Bench bench;
    second_staged(bench);
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    bench.all_durable();
    bench.on(SwitchEnded{Bench::id(2), {}});
    bench.all_durable();
    auto const actions = ordered(bench, for_all(5, {order(OrderKind::withdraw)}));
    CHECK(bench.state().phase == Phase::active);
    CHECK(sent<Report>(actions).empty());
}

// ---- forced ----

TEST_CASE("a release that is forced becomes live although others use the one before, and these keep their files") {
    Bench bench;
    second_waits(bench);
    auto const orders = GENERATE(for_all(5, {order(OrderKind::force)}), for_node(5, {order(OrderKind::force)}));
    REQUIRE(only<ProbeUse>(ordered(bench, orders)).active == Bench::id(1));
    bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, ""});
    auto const actions = bench.all_durable();
    CHECK_FALSE(any<EndUse>(actions));
    CHECK(only<SwitchCurrent>(actions).release == Bench::id(2));
    CHECK(bench.state().why == "in use, and forced by anna");
}

TEST_CASE("a release that is forced with restart ends users first, and becomes live also where some stay") {
    Bench bench;
    second_waits(bench);
    auto force = order(OrderKind::force);
    force.restart = true;
    REQUIRE(any<ProbeUse>(ordered(bench, for_all(5, {force}))));
    bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, ""});
    auto actions = bench.all_durable();
    CHECK(only<EndUse>(actions).holders == std::vector{holder(5)});
    CHECK_FALSE(any<SwitchCurrent>(actions));
    bench.on(UseEnded{software(), "pid 5 stays"});
    bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, ""});
    CHECK(any<SwitchCurrent>(bench.all_durable()));
    CHECK(bench.state().why == "in use, and forced by anna");
    bench.on(SwitchEnded{Bench::id(2), {}});
    CHECK(any<StartUse>(bench.all_durable()));
}

TEST_CASE("a release that is forced with restart becomes live at once where nobody uses the one before") {
    Bench bench;
    second_waits(bench);
    auto force = order(OrderKind::force);
    force.restart = true;
    ordered(bench, for_node(5, {force}));
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    auto const actions = bench.all_durable();
    CHECK_FALSE(any<EndUse>(actions));
    CHECK(any<SwitchCurrent>(actions));
}

TEST_CASE("what is forced goes past holds, windows and its turn") {
    NodeRules rules;
    rules.windows = *Schedule::parse_times("22:00-05:00 UTC");
    Holds holds;
    holds.all = Hold{WallTime{1}, std::nullopt, "root", ""};
    Bench bench({}, {}, SigningKey::generate(), rules);
    bench.rollout = Rollout{{100, all_nodes}};
    second_staged(bench);
    bench.on(HoldsRead{holds});
    bench.all_durable();
    CHECK_FALSE(any<ProbeUse>(ordered(bench, for_all(5, {order(OrderKind::hold), order(OrderKind::pause)}))));
    CHECK(bench.state().phase == Phase::held);
    CHECK(any<ProbeUse>(ordered(bench, for_node(5, {order(OrderKind::force)}))));
}

TEST_CASE("a force that disappears before the switch lets what was there before count again") {
    Bench bench;
    second_waits(bench);
    ordered(bench, for_all(5, {order(OrderKind::force), order(OrderKind::hold)}));
    ordered(bench, for_all(6, {order(OrderKind::hold)}));
    CHECK(any<LetGo>(bench.on(UseFound{software(), UseAnswer::free, {}, ""})));
    CHECK_FALSE(any<SwitchCurrent>(bench.all_durable()));
    CHECK(bench.state().phase == Phase::held);
}

// ---- in line ----

TEST_CASE("a release with a rollout is staged and waits for its turn, which counts as distributed") {
    Bench bench;
    bench.rollout = Rollout{{100, all_nodes}};
    auto actions = second_staged(bench);
    Bench::append(actions, bench.all_durable());
    CHECK_FALSE(any<ProbeUse>(actions));
    CHECK(bench.state().phase == Phase::awaiting_rollout);
    CHECK(last_report(actions).state == NodeState::staged);
    CHECK(last_report(actions).why == "its turn in the rollout has not come");
    CHECK_FALSE(any<ProbeUse>(bench.idle(3h)));

    auto const place = place_in_rollout(software(), Bench::version(2), *NodeName::parse("till-17"));
    CHECK_FALSE(any<ProbeUse>(ordered(bench, for_all(5, {share(place - 1)}))));
    CHECK_FALSE(any<ProbeUse>(ordered(bench, for_all(6, {share(everybody, 1)}))));
    CHECK(any<ProbeUse>(ordered(bench, for_all(7, {share(place)}))));
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    CHECK(any<SwitchCurrent>(bench.all_durable()));
}

TEST_CASE("a first installation waits for its turn too") {
    Bench bench;
    bench.rollout = Rollout{{100, all_nodes}};
    bench.check_in();
    bench.record(1);
    CHECK_FALSE(any<SwitchCurrent>(bench.to_staged(1)));
    CHECK(any<SwitchCurrent>(ordered(bench, for_all(5, {share(everybody, 1)}))));
}

TEST_CASE("whoever waits in line goes on waiting after a start, and looks after what it has staged") {
    Bench before;
    before.rollout = Rollout{{100, all_nodes}};
    second_staged(before);
    before.all_durable();
    auto after = restarted(before, 1);
    CHECK_FALSE(any<ProbeUse>(after.start()));
    after.all_durable();
    CHECK(after.state().phase == Phase::awaiting_rollout);
    auto const scans = all<ScanTrees>(after.idle(20min));
    REQUIRE_FALSE(scans.empty());
    CHECK(std::ranges::find(scans[0].releases, Bench::id(2)) != scans[0].releases.end());
}

TEST_CASE("a pause ends the wait for users, and that which comes during the look lets nothing through") {
    Bench bench;
    SECTION("while it waits") {
        second_waits(bench);
        CHECK(any<LetGo>(ordered(bench, for_all(5, {order(OrderKind::pause)}))));
        CHECK(bench.state().holders.empty());
    }
    SECTION("during the look") {
        REQUIRE(any<ProbeUse>(second_staged(bench)));
        ordered(bench, for_all(5, {order(OrderKind::pause)}));
        CHECK(any<LetGo>(bench.on(UseFound{software(), UseAnswer::free, {}, ""})));
        CHECK_FALSE(any<SwitchCurrent>(bench.all_durable()));
    }
    CHECK(bench.state().phase == Phase::awaiting_rollout);
    CHECK(bench.state().why == "paused by anna: because");
    CHECK(any<ProbeUse>(ordered(bench, for_all(6, {}))));
}

TEST_CASE(
    "a hold that is set while a release waits in line counts when its turn comes, and its turn when the hold goes") {
    Bench bench;
    bench.rollout = Rollout{{100, all_nodes}};
    second_staged(bench);
    bench.all_durable();
    Holds holds;
    holds.all = Hold{WallTime{1}, std::nullopt, "root", ""};
    bench.on(HoldsRead{holds});
    bench.all_durable();
    SECTION("its turn comes first") {
        CHECK_FALSE(any<ProbeUse>(ordered(bench, for_all(5, {share(everybody)}))));
        CHECK(bench.state().phase == Phase::held);
        bench.on(HoldsRead{{}});
        CHECK(any<ProbeUse>(bench.all_durable()));
    }
    SECTION("the hold goes first") {
        ordered(bench, for_all(5, {}));
        CHECK(bench.state().phase == Phase::held);
        bench.on(HoldsRead{{}});
        CHECK_FALSE(any<ProbeUse>(bench.all_durable()));
        CHECK(bench.state().phase == Phase::awaiting_rollout);
    }
}

// ---- tried again ----

namespace {

Activation checked() {
    Activation activation;
    activation.health = HealthCheck{"bin/check", {}, 10, 3, 1};
    return activation;
}

// Release 2, which is staged, becomes live, fails its health check, and 1 is live again.
void roll_back(Bench& bench) {
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    bench.all_durable();
    bench.on(SwitchEnded{Bench::id(2), {}});
    bench.all_durable();
    bench.on(HealthFound{Bench::id(2), fail(Fault::failed, "no")});
    bench.all_durable();
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    bench.on(SwitchEnded{Bench::id(1), {}});
    bench.all_durable();
    REQUIRE(bench.state().phase == Phase::rolled_back);
}

void second_rolled_back(Bench& bench) {
    bench.activation = checked();
    second_staged(bench);
    roll_back(bench);
}

Order at(Order made, std::int64_t seconds) {
    made.since.micros += seconds * 1'000'000;
    return made;
}

}  // namespace

TEST_CASE("an order to try again begins a release anew that was rolled back, once for each order") {
    Bench bench;
    second_rolled_back(bench);
    auto const first = order(GENERATE(OrderKind::retry, OrderKind::force));
    auto const actions = ordered(bench, for_all(5, {first}));
    CHECK(last_report(actions).state == NodeState::announced);
    CHECK(last_report(actions).why == "tried again by order of anna");
    CHECK(asks_for_bytes(actions));
    CHECK(bench.state().trials.value_or(0) == 0);

    // It fails in the same way: the same order, in another set or after a start, is not obeyed again.
    bench.to_staged(2);
    roll_back(bench);
    ordered(bench, for_all(6, {first, order(OrderKind::pause)}));
    CHECK(bench.state().phase == Phase::rolled_back);
    ordered(bench, for_node(7, {at(order(OrderKind::retry), 60)}));
    CHECK(bench.state().phase == Phase::announced);
}

TEST_CASE("an order to try again that was there when the release failed does not repeat it") {
    Bench bench;
    bench.activation = checked();
    second_staged(bench);
    ordered(bench, for_all(5, {order(OrderKind::force)}));
    roll_back(bench);
    CHECK_FALSE(any<MakePlan>(bench.idle(48h)));
    CHECK(bench.state().phase == Phase::rolled_back);
}

TEST_CASE("an order to try again is obeyed after a start, and not repeated by one") {
    Bench before;
    second_rolled_back(before);
    ordered(before, for_all(5, {order(OrderKind::retry)}));
    REQUIRE(before.state().phase == Phase::announced);
    Bench after(before.agent.state(), {{software(), Bench::id(1)}}, *SigningKey::from_pem(before.key.to_pem(""), ""));
    after.start();
    CHECK(after.state().retried == order(OrderKind::retry).since);
}

TEST_CASE("an order to try again means nothing to a release that has not failed, and is about one release") {
    Bench bench;
    second_staged(bench);
    bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, ""});
    bench.all_durable();
    ordered(bench, for_all(5, {order(OrderKind::retry)}));
    CHECK(bench.state().phase == Phase::waiting);
    Bench other;
    second_rolled_back(other);
    ordered(other, for_all(5, {order(OrderKind::retry, 1)}));
    CHECK(other.state().phase == Phase::rolled_back);
}

}  // namespace agent_ordered_test
