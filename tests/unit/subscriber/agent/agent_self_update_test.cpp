#include <catch2/catch.hpp>

#include "tests/unit/subscriber/agent/orders_bench.hpp"

namespace agent_self_update_test {

// The daemon is itself a release of a software that the node installs: here release 1 of "kiosk".

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;
using namespace std::chrono_literals;

namespace {

OwnProgram runs(std::uint64_t seq, std::string_view name = "kiosk") {
    return {Bench::id(seq, name), "bin/lull-node", {"daemon", "--root", "node", "--check"}};
}

Hook const prepare{HookTime::before, "bin/prepare", {}, 5};

// Release 2 is staged, and nobody uses release 1.
struct Ready {
    explicit Ready(NodeRules rules = {}, std::vector<Hook> hooks = {})
        : bench({}, {}, SigningKey::generate(), std::move(rules), {}, runs(1)) {
        if (!hooks.empty()) {
            bench.activation.emplace();
            bench.activation->hooks = std::move(hooks);
        }
        before = second_staged(bench);
        bench.on(UseFound{software(), UseAnswer::free, {}, ""});
        actions = bench.all_durable();
    }
    Actions ends(Event event) {
        auto made = bench.on(std::move(event));
        Bench::append(made, bench.all_durable());
        return made;
    }

    Bench bench;
    Actions before;
    Actions actions;
};

// Another life of the node, which runs from this release.
Bench next_life(Bench const& before, std::uint64_t current, OwnProgram own) {
    return Bench(before.agent.state(), {{software(), Bench::id(current)}},
                 *SigningKey::from_pem(before.key.to_pem(""), ""), {}, {}, std::move(own));
}

}  // namespace

TEST_CASE("before the switch the program of the new release is asked as the daemon, whatever the owner allows") {
    Ready node;
    auto const check = only<RunHook>(node.actions);
    CHECK(check.release == Bench::id(2));
    CHECK(check.as_daemon);
    CHECK(check.hook.program == "bin/lull-node");
    CHECK(check.hook.arguments == std::vector<std::string>{"daemon", "--root", "node", "--check"});
    CHECK(check.hook.time == HookTime::before);
    CHECK(check.hook.time_limit == 60);
    CHECK_FALSE(any<SwitchCurrent>(node.actions));
    CHECK(only<SwitchCurrent>(node.ends(HookEnded{Bench::id(2), {}})).release == Bench::id(2));
}

TEST_CASE("the check comes before the hooks of the release, which do not run as the daemon") {
    NodeRules rules;
    rules.hooks.all = true;
    Ready node(rules, {prepare});
    CHECK(only<RunHook>(node.actions).as_daemon);
    auto const hook = only<RunHook>(node.ends(HookEnded{Bench::id(2), {}}));
    CHECK(hook.hook == prepare);
    CHECK_FALSE(hook.as_daemon);
    CHECK(any<SwitchCurrent>(node.ends(HookEnded{Bench::id(2), {}})));
}

TEST_CASE("a check that fails leaves the old release active, reports the reason, and is repeated later") {
    Ready node;
    auto const actions = node.ends(
        HookEnded{Bench::id(2), fail(Fault::failed, "the new lull-node does not work here")});
    CHECK_FALSE(any<SwitchCurrent>(actions));
    CHECK_FALSE(any<HandOver>(actions));
    CHECK(any<LetGo>(actions));
    CHECK(last_report(actions).state == NodeState::failed);
    CHECK(last_report(actions).active == Seq{1});
    CHECK(last_report(actions).why == "the new lull-node does not work here");
    CHECK(any<MakePlan>(node.bench.idle(2min)));
}

TEST_CASE("the daemon hands over when its new release is active, and the record of that is durable") {
    Ready node;
    node.ends(HookEnded{Bench::id(2), {}});
    CHECK_FALSE(any<HandOver>(node.bench.on(SwitchEnded{Bench::id(2), {}})));
    auto const actions = node.bench.all_durable();
    CHECK(node.bench.state().phase == Phase::active);
    CHECK(only<HandOver>(actions).release == Bench::id(2));
    CHECK_FALSE(any<HandOver>(node.bench.idle(1min)));  // once
}

TEST_CASE("a release that has a health check is handed over to after that, and not at all if it fails") {
    Bench bench({}, {}, SigningKey::generate(), {}, {}, runs(1));
    bench.activation.emplace();
    bench.activation->health = HealthCheck{"bin/healthy", {}};
    second_staged(bench);
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    bench.all_durable();
    bench.on(HookEnded{Bench::id(2), {}});
    bench.all_durable();
    bench.on(SwitchEnded{Bench::id(2), {}});
    auto actions = bench.all_durable();
    REQUIRE(any<CheckHealth>(actions));
    CHECK_FALSE(any<HandOver>(actions));
    bool const healthy = GENERATE(false, true);
    actions = bench.on(HealthFound{Bench::id(2), healthy ? Status() : fail(Fault::failed, "sick")});
    Bench::append(actions, bench.all_durable());
    if (!healthy) {
        bench.on(UseFound{software(), UseAnswer::free, {}, ""});
        Bench::append(actions, bench.on(SwitchEnded{Bench::id(1), {}}));
        Bench::append(actions, bench.all_durable());
        CHECK(bench.state().phase == Phase::rolled_back);
    }
    CHECK(any<HandOver>(actions) == healthy);
}

TEST_CASE("other software is neither checked nor handed over to") {
    bool const is_release = GENERATE(false, true);  // the daemon is one of another software, or of none
    Bench bench({}, {}, SigningKey::generate(), {}, {}, is_release ? std::optional(runs(7, "node")) : std::nullopt);
    auto actions = second_staged(bench);
    Bench::append(actions, bench.on(UseFound{software(), UseAnswer::free, {}, ""}));
    Bench::append(actions, bench.all_durable());
    CHECK(any<SwitchCurrent>(actions));
    Bench::append(actions, bench.on(SwitchEnded{Bench::id(2), {}}));
    Bench::append(actions, bench.all_durable());
    CHECK(bench.state().phase == Phase::active);
    CHECK_FALSE(any<RunHook>(actions));
    CHECK_FALSE(any<HandOver>(actions));
}

TEST_CASE("a daemon that starts from an older release than the active one hands over, and the active one does not") {
    Ready node;
    node.ends(HookEnded{Bench::id(2), {}});
    node.ends(SwitchEnded{Bench::id(2), {}});
    bool const is_older = GENERATE(false, true);
    auto after = next_life(node.bench, 2, runs(is_older ? 1 : 2));
    auto actions = after.start();
    Bench::append(actions, after.on(Tick{}));
    CHECK(any<HandOver>(actions) == is_older);
}

TEST_CASE("the daemon does not hand over in the middle of a switch of other software") {
    NodeRules rules;
    rules.hooks.all = true;
    Bench bench({}, {}, SigningKey::generate(), rules, {}, runs(1));
    settle(bench, {{1, "kiosk"}});
    bench.activation.emplace();
    bench.activation->hooks = std::vector<Hook>{prepare};
    bench.record(2, "other");
    auto const first = bench.to_staged(2, "other");  // a first installation waits for no users
    REQUIRE(only<RunHook>(first).release == Bench::id(2, "other"));
    bench.activation.reset();
    bench.record(3);
    bench.to_staged(3);
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    bench.all_durable();
    bench.on(HookEnded{Bench::id(3), {}});
    bench.all_durable();
    auto actions = bench.on(SwitchEnded{Bench::id(3), {}});
    Bench::append(actions, bench.all_durable());
    CHECK(bench.state().phase == Phase::active);
    CHECK_FALSE(any<HandOver>(actions));
    CHECK_FALSE(any<HandOver>(bench.on(HookEnded{Bench::id(2, "other"), {}})));
    CHECK(only<HandOver>(bench.on(SwitchEnded{Bench::id(2, "other"), {}})).release == Bench::id(3));
}

}  // namespace agent_self_update_test
