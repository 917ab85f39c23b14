#include <catch2/catch.hpp>

#include "tests/unit/subscriber/agent/orders_bench.hpp"

namespace agent_hooks_test {

// Programs of the release that run before and after the switch, where the owner of the node allows them.

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;
using namespace std::chrono_literals;

namespace {

Hook const prepare{HookTime::before, "bin/prepare", {"--all"}, 5};
Hook const migrate{HookTime::before, "bin/migrate", {}, 5};
Hook const warm{HookTime::after, "bin/warm", {}, 5};
Hook const greet{HookTime::after, "bin/greet", {}, 5};

NodeRules allowed() {
    NodeRules rules;
    rules.hooks.software = {software()};
    return rules;
}

Activation with(std::vector<Hook> hooks) {
    Activation how;
    how.hooks = std::move(hooks);
    return how;
}

// Release 2 is ready, nobody uses release 1, and all that follows is durable.
struct Ready {
    explicit Ready(Activation how, NodeRules rules = allowed())
        : bench({}, {}, SigningKey::generate(), std::move(rules)) {
        bench.activation = std::move(how);
        second_staged(bench);
        actions = found_free();
    }
    Actions found_free() {
        bench.on(UseFound{software(), UseAnswer::free, {}, ""});
        return bench.all_durable();
    }
    Actions hook_ends(Status status = {}) {
        auto made = bench.on(HookEnded{Bench::id(2), std::move(status)});
        Bench::append(made, bench.all_durable());
        return made;
    }
    Actions switched() {
        auto made = bench.on(SwitchEnded{Bench::id(2), {}});
        Bench::append(made, bench.all_durable());
        return made;
    }

    Bench bench;
    Actions actions;
};

Status const bad = fail(Fault::failed, "hook ended with status 1");

// Another life of the node, in which nobody uses what is live. What it does.
Actions next_life(std::unique_ptr<Bench>& bench, std::uint64_t current) {
    bench.reset(new Bench(restarted(*bench, current, allowed())));
    auto actions = bench->start();
    Bench::append(actions, bench->all_durable());
    if (any<ProbeUse>(actions)) {
        Bench::append(actions, bench->on(UseFound{software(), UseAnswer::free, {}, ""}));
        Bench::append(actions, bench->all_durable());
    }
    return actions;
}

}  // namespace

TEST_CASE("hooks that the owner does not allow do not run, and the release becomes live without them") {
    NodeRules others;
    others.hooks.software = {software("other")};
    Ready node(with({prepare, warm}), GENERATE_COPY(NodeRules{}, others));
    CHECK_FALSE(any<RunHook>(node.actions));
    CHECK(any<SwitchCurrent>(node.actions));
    auto const actions = node.switched();
    CHECK_FALSE(any<RunHook>(actions));
    CHECK(node.bench.state().phase == Phase::active);
    auto const words = all<Say>(actions);
    CHECK(std::ranges::any_of(
        words, [](Say const& say) { return say.text.find("--allow-hooks kiosk") != std::string::npos; }));
}

TEST_CASE(
    "hooks before the switch run one after the other, each once that it begins is durable, and then the release "
    "becomes live") {
    Bench bench({}, {}, SigningKey::generate(), allowed());
    bench.activation = with({prepare, warm, migrate});
    second_staged(bench);
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    CHECK_FALSE(any<RunHook>(bench.one_durable()));
    CHECK(bench.state().phase == Phase::switching);
    auto const run = only<RunHook>(bench.one_durable());
    CHECK(run.release == Bench::id(2));
    CHECK(run.hook == prepare);
    CHECK(bench.state().trials == 1);

    auto actions = bench.on(HookEnded{Bench::id(2), {}});
    Bench::append(actions, bench.all_durable());
    CHECK(only<RunHook>(actions).hook == migrate);
    CHECK_FALSE(any<SwitchCurrent>(actions));
    CHECK(only<SwitchCurrent>(bench.on(HookEnded{Bench::id(2), {}})).release == Bench::id(2));
}

TEST_CASE("a hook before the switch that fails leaves live what is live, and the release is tried again later") {
    Ready node(with({prepare, migrate}));
    REQUIRE(any<RunHook>(node.actions));
    auto const actions = node.hook_ends(bad);
    CHECK(any<LetGo>(actions));
    CHECK_FALSE(any<RunHook>(actions));
    CHECK_FALSE(any<SwitchCurrent>(actions));
    CHECK(last_report(actions).state == NodeState::failed);
    CHECK(last_report(actions).active == Seq{1});
    CHECK(last_report(actions).why == "hook ended with status 1");
    CHECK(any<MakePlan>(node.bench.idle(2min)));
}

TEST_CASE("whom the switch was to wait for starts again where a hook before it fails") {
    Bench bench({}, {}, SigningKey::generate(), allowed());
    bench.policy = Policy::restart;
    bench.activation = with({prepare});
    second_staged(bench);
    bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, ""});
    REQUIRE(any<EndUse>(bench.all_durable()));
    bench.on(UseEnded{software(), ""});
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    REQUIRE(any<RunHook>(bench.all_durable()));
    bench.on(HookEnded{Bench::id(2), bad});
    CHECK(any<StartUse>(bench.all_durable()));
}

TEST_CASE("hooks after the switch put the release on trial, and it is active when they have done what they should") {
    Ready node(with({warm, greet}));
    REQUIRE(any<SwitchCurrent>(node.actions));
    CHECK(only<RunHook>(node.switched()).hook == warm);
    CHECK(node.bench.state().phase == Phase::verifying);
    CHECK(only<RunHook>(node.hook_ends()).hook == greet);
    CHECK(node.bench.state().phase == Phase::verifying);
    auto const actions = node.hook_ends();
    CHECK(last_report(actions).state == NodeState::active);
    CHECK(node.bench.state().proven == ReleaseRef{Seq{2}, Bench::version(2)});
}

TEST_CASE("a hook after the switch that fails sends the node back, like a health check") {
    auto how = with({warm, greet});
    how.health = HealthCheck{"bin/check", {}};
    Ready node(how);
    node.switched();
    auto const actions = node.hook_ends(bad);
    CHECK_FALSE(any<RunHook>(actions));
    CHECK_FALSE(any<CheckHealth>(actions));
    REQUIRE(any<ProbeUse>(actions));
    CHECK(only<SwitchCurrent>(node.bench.on(UseFound{software(), UseAnswer::free, {}, ""})).release == Bench::id(1));
    node.bench.on(SwitchEnded{Bench::id(1), {}});
    CHECK(last_report(node.bench.all_durable()).state == NodeState::rolled_back);
}

TEST_CASE("the health check comes behind the hooks, and both behind the services") {
    auto how = with({warm});
    how.health = HealthCheck{"bin/check", {}};
    how.units = {"kiosk.service"};
    Bench bench({}, {}, SigningKey::generate(), allowed());
    bench.policy = Policy::restart;
    bench.activation = how;
    second_staged(bench);
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    bench.all_durable();
    bench.on(UseEnded{software(), ""});
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    bench.all_durable();
    bench.on(SwitchEnded{Bench::id(2), {}});
    auto actions = bench.all_durable();
    CHECK(any<StartUse>(actions));
    CHECK_FALSE(any<RunHook>(actions));
    bench.on(UseStarted{software(), {}});
    actions = bench.all_durable();
    CHECK(any<RunHook>(actions));
    CHECK_FALSE(any<CheckHealth>(actions));
    bench.on(HookEnded{Bench::id(2), {}});
    CHECK(any<CheckHealth>(bench.all_durable()));
}

TEST_CASE("a newer release that comes while a hook runs takes its place") {
    Ready node(with({prepare}));
    node.bench.activation.reset();
    node.bench.record(3);
    auto const actions = node.hook_ends();
    CHECK(any<LetGo>(actions));
    CHECK_FALSE(any<SwitchCurrent>(actions));
    node.bench.to_active(3);
    CHECK(node.bench.state().phase == Phase::active);
}

TEST_CASE("after a crash in the middle of the hooks they run again from the first, and the lock is taken anew") {
    Ready node(with({prepare, migrate}));
    node.hook_ends();
    auto after = restarted(node.bench, 1, allowed());
    CHECK_FALSE(any<RunHook>(after.start()));
    after.all_durable();
    CHECK(after.state().phase == Phase::staged);
    after.on(UseFound{software(), UseAnswer::free, {}, ""});
    CHECK(only<RunHook>(after.all_durable()).hook == prepare);
}

TEST_CASE("after a crash in the middle of the trial its hooks run again from the first") {
    Ready node(with({warm, greet}));
    node.switched();
    node.hook_ends();
    auto after = restarted(node.bench, 2, allowed());
    auto actions = after.start();
    Bench::append(actions, after.all_durable());
    CHECK(only<RunHook>(actions).hook == warm);
}

// They are for the moment in which the one before is live and nobody uses it.
TEST_CASE("after a crash behind the switch the hooks before it do not run again") {
    Ready node(with({prepare, warm}));
    REQUIRE(any<SwitchCurrent>(node.bench.on(HookEnded{Bench::id(2), {}})));
    auto after = restarted(node.bench, 2, allowed());  // `current` points to it, and the journal does not know
    auto actions = after.start();
    Bench::append(actions, after.all_durable());
    CHECK_FALSE(any<RunHook>(actions));
    CHECK(only<SwitchCurrent>(actions).release == Bench::id(2));
    after.on(SwitchEnded{Bench::id(2), {}});
    CHECK(only<RunHook>(after.all_durable()).hook == warm);
}

TEST_CASE("a hook that takes the daemon down each time is not begun a fourth time") {
    Ready node(with({prepare}));
    std::unique_ptr<Bench> bench(new Bench(restarted(node.bench, 1, allowed())));
    for (int life = 0; life < 2; ++life) REQUIRE(any<RunHook>(next_life(bench, 1)));
    auto const actions = next_life(bench, 1);
    CHECK_FALSE(any<RunHook>(actions));
    CHECK_FALSE(any<SwitchCurrent>(actions));
    CHECK(bench->state().phase == Phase::failed);
    CHECK(bench->state().why.find("begun 3 times") != std::string::npos);
}

TEST_CASE("a release that ends the node gets no new attempt by the start that this causes, but by time and by order") {
    Ready node(with({prepare}));
    std::unique_ptr<Bench> bench(new Bench(restarted(node.bench, 1, allowed())));
    for (int life = 0; life < 3; ++life) next_life(bench, 1);
    REQUIRE(bench->state().phase == Phase::failed);
    for (int life = 0; life < 5; ++life) {  // others that end the node as well, or an operator
        CHECK_FALSE(any<RunHook>(next_life(bench, 1)));
        CHECK(bench->state().phase == Phase::failed);
    }
    bench->pass(std::chrono::hours(2));
    bench->on(Tick{});
    bench->all_durable();
    CHECK(bench->state().phase != Phase::failed);
}

TEST_CASE("a trial that takes the daemon down each time ends after three, whichever of its programs does it") {
    auto how = with({warm});
    bool const by_health = GENERATE(false, true);
    if (by_health) {
        how.health = HealthCheck{"bin/check", {}};
    } else {
        how.hooks->push_back(greet);
    }
    Ready node(how);
    node.switched();
    node.hook_ends();  // the first one does what it should, the second one is on its way
    std::unique_ptr<Bench> bench(new Bench(restarted(node.bench, 2, allowed())));
    int lives = 1;
    while (lives < 10) {
        auto const begun = next_life(bench, 2);
        if (!any<RunHook>(begun)) break;
        ++lives;
        bench->on(HookEnded{Bench::id(2), {}});
        bench->all_durable();
        if (bench->state().phase != Phase::verifying) break;
    }
    CHECK(lives <= 3);
    CHECK(bench->state().phase == Phase::rolling_back);
}

TEST_CASE("hooks before the switch that were interrupted leave the trial all of its tries") {
    auto how = with({prepare});
    how.health = HealthCheck{"bin/check", {}};
    Ready node(how);
    std::unique_ptr<Bench> bench(new Bench(restarted(node.bench, 1, allowed())));
    for (int life = 0; life < 2; ++life) REQUIRE(any<RunHook>(next_life(bench, 1)));  // power cuts
    bench->on(HookEnded{Bench::id(2), {}});
    bench->all_durable();
    bench->on(SwitchEnded{Bench::id(2), {}});
    REQUIRE(any<CheckHealth>(bench->all_durable()));
    for (int life = 0; life < 2; ++life) CHECK(any<CheckHealth>(next_life(bench, 2)));
    CHECK_FALSE(any<CheckHealth>(next_life(bench, 2)));
}

TEST_CASE(
    "a hold that comes while a hook runs keeps the release from becoming live, and its hooks run again when it ends") {
    Ready ready(with({prepare}));
    REQUIRE(any<RunHook>(ready.actions));
    Holds holds;
    holds.all = Hold{WallTime{1}, std::nullopt, "anna", "inventory"};
    ready.bench.on(HoldsRead{holds});
    auto ended = ready.bench.on(HookEnded{Bench::id(2), {}});
    CHECK_FALSE(any<SwitchCurrent>(ended));
    CHECK(any<LetGo>(ended));
    ready.bench.all_durable();
    CHECK(ready.bench.state().phase == Phase::held);
    ready.bench.on(HoldsRead{});
    ready.bench.all_durable();
    CHECK(any<RunHook>(ready.found_free()));
}

}  // namespace agent_hooks_test
