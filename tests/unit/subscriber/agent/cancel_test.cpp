#include <catch2/catch.hpp>

#include "tests/unit/subscriber/agent/orders_bench.hpp"

namespace cancel_test {

// What runs for a release is stopped when an order, a newer release or a stop makes it pointless.

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;
using namespace std::chrono_literals;

namespace {

Status const cancelled = fail(Fault::cancelled, "it was cancelled");

std::vector<Job> cancelled_jobs(Actions const& actions) {
    std::vector<Job> jobs;
    for (auto const& cancel : all<CancelJob>(actions)) {
        CHECK(cancel.software == software());
        jobs.push_back(cancel.job);
    }
    return jobs;
}

using Jobs = std::vector<Job>;

// The event, and all that becomes durable after it.
Actions happens(Bench& bench, Event event) {
    auto actions = bench.on(std::move(event));
    Bench::append(actions, bench.all_durable());
    return actions;
}

Actions newer_release(Bench& bench, std::uint64_t seq) {
    auto actions = bench.announce(bench.release(seq));
    Bench::append(actions, bench.all_durable());
    return actions;
}

// Release 2 is staged, and the user of release 1 is being ended for it.
void ends_users(Bench& bench) {
    bench.policy = Policy::restart;
    second_staged(bench);
    auto const actions = happens(bench, UseFound{software(), UseAnswer::in_use, {holder(5)}, "in use by 1 process"});
    REQUIRE(only<EndUse>(actions).holders == std::vector{holder(5)});
}

Activation with_hooks() {
    Activation how;
    how.hooks = {{HookTime::before, "bin/prepare", {}, 10}, {HookTime::after, "bin/warm", {}, 10}};
    how.health = HealthCheck{"bin/check", {}};
    return how;
}

NodeRules hooks_allowed() {
    NodeRules rules;
    rules.hooks.all = true;
    return rules;
}

// The first hook of release 2 runs, before the switch.
struct HookRuns {
    HookRuns() : bench({}, {}, SigningKey::generate(), hooks_allowed()) {
        bench.activation = with_hooks();
        second_staged(bench);
        REQUIRE(any<RunHook>(happens(bench, UseFound{software(), UseAnswer::free, {}, ""})));
    }
    // On to the health check of release 2, which is live.
    void to_health_check() {
        REQUIRE(any<SwitchCurrent>(happens(bench, HookEnded{Bench::id(2), {}})));
        REQUIRE(any<RunHook>(happens(bench, SwitchEnded{Bench::id(2), {}})));
        REQUIRE(any<CheckHealth>(happens(bench, HookEnded{Bench::id(2), {}})));
    }
    Bench bench;
};

Holds inventory() {
    Holds holds;
    holds.all = Hold{WallTime{1}, std::nullopt, "anna", "inventory"};
    return holds;
}

}  // namespace

// ---- the termination of processes ----

TEST_CASE("an order that keeps the release back stops the termination of processes, and those that ended start again") {
    auto const kind = GENERATE(OrderKind::withdraw, OrderKind::hold, OrderKind::pause);
    Bench bench;
    ends_users(bench);
    CHECK(cancelled_jobs(ordered(bench, for_all(1, {order(kind)}))) == Jobs{Job::ending_use});
    CHECK(cancelled_jobs(ordered(bench, for_all(2, {order(kind), order(OrderKind::withdraw, 9)}))).empty());

    auto const actions = happens(bench, UseEnded{software(), "1 process was not ended"});
    CHECK(bench.state().phase == (kind == OrderKind::pause ? Phase::awaiting_rollout : Phase::held));
    CHECK_FALSE(any<ProbeUse>(actions));
    CHECK(any<StartUse>(actions));
    happens(bench, UseStarted{software(), {}});
    CHECK(bench.state().ended == false);
}

TEST_CASE("a hold of this node stops the termination of processes, which begins anew when the hold ends") {
    Bench bench;
    ends_users(bench);
    CHECK(cancelled_jobs(bench.on(HoldsRead{inventory()})) == Jobs{Job::ending_use});
    happens(bench, UseEnded{software(), ""});
    happens(bench, UseStarted{software(), {}});
    REQUIRE(bench.state().phase == Phase::held);
    REQUIRE(any<ProbeUse>(happens(bench, HoldsRead{})));
    CHECK(any<EndUse>(happens(bench, UseFound{software(), UseAnswer::in_use, {holder(5)}, "in use"})));
}

TEST_CASE("a release that is forced live at once spares the processes that were to end for it") {
    Bench bench;
    ends_users(bench);
    CHECK(cancelled_jobs(ordered(bench, for_all(1, {order(OrderKind::force)}))) == Jobs{Job::ending_use});
    REQUIRE(any<ProbeUse>(happens(bench, UseEnded{software(), ""})));
    auto const actions = happens(bench, UseFound{software(), UseAnswer::in_use, {holder(5)}, "in use"});
    CHECK_FALSE(any<EndUse>(actions));
    CHECK(any<SwitchCurrent>(actions));
}

TEST_CASE("an order about another release, or another software, stops nothing") {
    Bench bench;
    ends_users(bench);
    CHECK(cancelled_jobs(ordered(bench, for_all(1, {order(OrderKind::withdraw, 1)}))).empty());
    CHECK(cancelled_jobs(ordered(bench, for_all(2, {order(OrderKind::hold, 2, software("bar"))}))).empty());
    REQUIRE(any<ProbeUse>(happens(bench, UseEnded{software(), "pid 5 has ended"})));
    CHECK(any<SwitchCurrent>(happens(bench, UseFound{software(), UseAnswer::free, {}, ""})));
}

TEST_CASE("a newer release stops the termination of processes, and they start again before it is fetched") {
    Bench bench;
    ends_users(bench);
    auto const newer = newer_release(bench, 3);
    CHECK(cancelled_jobs(newer) == Jobs{Job::ending_use});
    CHECK_FALSE(any<StartUse>(newer));
    CHECK(any<StartUse>(happens(bench, UseEnded{software(), ""})));
    CHECK(sent<Fetch>(happens(bench, UseStarted{software(), {}})).size() == 1);
    CHECK(bench.state().entry.seq == Seq{3});
}

TEST_CASE("an order that comes before the termination of processes is durable keeps it from beginning") {
    Bench bench;
    bench.policy = Policy::restart;
    second_staged(bench);
    bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, "in use"});  // the record is on the way to the disk
    auto actions = bench.on(HoldsRead{inventory()});
    Bench::append(actions, bench.all_durable());
    CHECK_FALSE(any<EndUse>(actions));
    CHECK_FALSE(any<CancelJob>(actions));
    CHECK(bench.state().phase == Phase::held);
}

TEST_CASE("the termination of processes that a way back needs goes on whatever is ordered") {
    HookRuns node;
    node.bench.policy = Policy::restart;
    node.to_health_check();
    Bench& bench = node.bench;
    REQUIRE(any<ProbeUse>(happens(bench, HealthFound{Bench::id(2), fail(Fault::failed, "does not work")})));
    REQUIRE(bench.state().phase == Phase::rolling_back);
    CHECK(cancelled_jobs(ordered(bench, for_all(1, {order(OrderKind::withdraw)}))).empty());
}

// ---- plan and staging ----

TEST_CASE("a newer release stops the plan and the staging of the one before") {
    bool const staging = GENERATE(false, true);
    Bench bench;
    bench.check_in();
    bench.record(1);
    if (staging) {
        bench.to_fetching(1);
        REQUIRE(any<StageRelease>(bench.object_comes(Bench::segment(1).digest, Bytes(50))));
    } else {
        REQUIRE(any<MakePlan>(bench.object_comes(Bench::manifest(1), Bytes(100))));
    }
    CHECK(cancelled_jobs(newer_release(bench, 2)) == Jobs{staging ? Job::staging : Job::plan});
    CHECK(cancelled_jobs(newer_release(bench, 3)).empty());  // once

    auto ended = staging ? happens(bench, StageEnded{Bench::id(1), cancelled, {}})
                         : happens(bench, PlanMade{Bench::id(1), pass(cancelled.error())});
    CHECK(bench.state().phase == Phase::announced);
    CHECK(sent<Fetch>(ended).at(0).seq == Seq{3});
    bench.to_active(3);
    CHECK(bench.state().active == ReleaseRef{Seq{3}, Bench::version(3)});
}

TEST_CASE("a withdrawal stops the staging; a hold does not, because a held release is staged as well") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_fetching(1);
    REQUIRE(any<StageRelease>(bench.object_comes(Bench::segment(1).digest, Bytes(50))));
    CHECK(cancelled_jobs(ordered(bench, for_all(1, {order(OrderKind::hold)}))).empty());
    CHECK(cancelled_jobs(ordered(bench, for_all(2, {order(OrderKind::withdraw, 1)}))) == Jobs{Job::staging});
    SECTION("it is stopped") {
        happens(bench, StageEnded{Bench::id(1), cancelled, {}});
        CHECK(bench.state().phase == Phase::held);
        CHECK_FALSE(bench.state().staged);
        CHECK(bench.state().failures == 0);
    }
    SECTION("it had ended in that instant") {
        happens(bench, StageEnded{Bench::id(1), {}, {}});
        CHECK(bench.state().phase == Phase::held);
        CHECK(bench.state().staged);
    }
}

TEST_CASE("a withdrawal that is taken back while the staging ends lets the release be staged") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_fetching(1);
    bench.object_comes(Bench::segment(1).digest, Bytes(50));
    ordered(bench, for_all(1, {order(OrderKind::withdraw, 1)}));
    ordered(bench, for_all(2, {}));
    CHECK(any<StageRelease>(happens(bench, StageEnded{Bench::id(1), cancelled, {}})));
}

TEST_CASE("an object that is lost stops the staging that needs it") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_fetching(1);
    bench.object_comes(Bench::segment(1).digest, Bytes(50));
    auto const lost = bench.on(ObjectUnwritten{Bench::segment(1).digest, {Fault::no_space, "disk full"}});
    CHECK(cancelled_jobs(lost) == Jobs{Job::staging});
}

// ---- hooks and the health check ----

TEST_CASE("a gate that closes stops a hook before the switch; the hook does not count as one that failed") {
    HookRuns node;
    CHECK(cancelled_jobs(node.bench.on(HoldsRead{inventory()})) == Jobs{Job::hook});
    auto const ended = happens(node.bench, HookEnded{Bench::id(2), cancelled});
    CHECK(any<LetGo>(ended));
    CHECK(node.bench.state().phase == Phase::held);
    CHECK(node.bench.state().failures == 0);
    CHECK(node.bench.state().trials == 0);
}

TEST_CASE("hooks that are stopped again and again are not taken for hooks that never end") {
    HookRuns node;
    for (int i = 0; i < 5; ++i) {
        REQUIRE(cancelled_jobs(node.bench.on(HoldsRead{inventory()})) == Jobs{Job::hook});
        happens(node.bench, HookEnded{Bench::id(2), cancelled});
        REQUIRE(any<ProbeUse>(happens(node.bench, HoldsRead{})));
        REQUIRE(any<RunHook>(happens(node.bench, UseFound{software(), UseAnswer::free, {}, ""})));
    }
}

TEST_CASE("a newer release stops a hook, on either side of the switch, and the health check") {
    auto const stage = GENERATE(0, 1, 2);
    HookRuns node;
    auto& bench = node.bench;
    if (stage == 1) {
        happens(bench, HookEnded{Bench::id(2), {}});
        REQUIRE(any<RunHook>(happens(bench, SwitchEnded{Bench::id(2), {}})));
    }
    if (stage == 2) node.to_health_check();
    CHECK(cancelled_jobs(newer_release(bench, 3)) == Jobs{stage == 2 ? Job::health_check : Job::hook});
    auto const ended = stage == 2 ? happens(bench, HealthFound{Bench::id(2), cancelled})
                                  : happens(bench, HookEnded{Bench::id(2), cancelled});
    CHECK(bench.state().entry.seq == Seq{3});
    CHECK(bench.state().phase == Phase::announced);
    CHECK(sent<Fetch>(ended).size() == 1);
    CHECK_FALSE(any<SwitchCurrent>(ended));
}

TEST_CASE("a release that is live already is verified to the end, whatever is ordered") {
    HookRuns node;
    node.to_health_check();
    CHECK(cancelled_jobs(ordered(node.bench, for_all(1, {order(OrderKind::withdraw)}))).empty());
    happens(node.bench, HealthFound{Bench::id(2), {}});
    CHECK(node.bench.state().phase == Phase::active);
}

// ---- scan and stop ----

TEST_CASE("a newer release stops a scan") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    auto const scan = all<ScanTrees>(bench.idle(13min));
    REQUIRE(scan.size() == 1);
    CHECK(cancelled_jobs(newer_release(bench, 2)) == Jobs{Job::scan});
    CHECK(cancelled_jobs(newer_release(bench, 3)).empty());  // once
    bench.on(TreesScanned{software(), true, true, {}, {}});
    CHECK(bench.agent.state().scans.at(software()).read == WallTime{});
}

TEST_CASE("a stop cancels what runs, and nothing is decided after it") {
    Bench bench;
    ends_users(bench);
    CHECK(cancelled_jobs(bench.agent.stop()) == Jobs{Job::ending_use});
    CHECK(bench.agent.on(UseEnded{software(), ""}, bench.now).empty());
    // The next life starts again the users that had ended.
    Bench next(bench.agent.state(), {{software(), Bench::id(1)}}, *SigningKey::from_pem(bench.key.to_pem(""), ""));
    CHECK(next.state().ended == true);
}

TEST_CASE("the start of users, a probe and a switch are not cancelled: they are over in a moment") {
    Bench bench;
    REQUIRE(any<ProbeUse>(second_staged(bench)));
    CHECK(cancelled_jobs(ordered(bench, for_all(1, {order(OrderKind::withdraw)}))).empty());
    CHECK(any<LetGo>(happens(bench, UseFound{software(), UseAnswer::free, {}, ""})));
    CHECK(bench.state().phase == Phase::held);
    STATIC_REQUIRE_FALSE(cancellable(Work::starting_use));
    STATIC_REQUIRE_FALSE(cancellable(Work::probe));
    STATIC_REQUIRE_FALSE(cancellable(Work::switching));
}

TEST_CASE("a plan and a tree are ordered with what the shell needs to take small and urgent ones first") {
    Bench bench;
    bench.check_in();
    auto info = Bench::info_of(1);
    info.urgency = Urgency::urgent;
    bench.announce(Bench::entry_of(bench.key, 1, info));
    bench.all_durable();
    auto const plan = only<MakePlan>(bench.object_comes(Bench::manifest(1), Bytes(100)));
    CHECK(plan.urgency == Urgency::urgent);
    CHECK(plan.size == Bytes(50));
    bench.on(PlanMade{Bench::id(1), Plan{{Bench::segment(1)}}});
    auto const stage = only<StageRelease>(bench.object_comes(Bench::segment(1).digest, Bytes(50)));
    CHECK(stage.urgency == Urgency::urgent);
    CHECK(stage.size == Bytes(50));
}

}  // namespace cancel_test
