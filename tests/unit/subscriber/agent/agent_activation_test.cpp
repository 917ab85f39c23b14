#include <catch2/catch.hpp>

#include "tests/unit/subscriber/agent/orders_bench.hpp"

namespace agent_activation_test {

// From a staged tree to a release that works, or back: holds and time windows, users that are ended, trials.

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;
using namespace std::chrono_literals;

namespace {

Holder holder(std::uint64_t pid) {
    return {pid, 1000, "kiosk", "kiosk --full", WallTime{static_cast<std::int64_t>(pid)}, std::nullopt};
}

Holds all_held(std::optional<WallTime> until = std::nullopt) {
    Holds holds;
    holds.all = Hold{WallTime{1}, until, "anna", "inventory"};
    return holds;
}

// Release 2 is live, and its trial has begun.
Actions second_on_trial(Bench& bench) {
    second_staged(bench);
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    bench.all_durable();
    bench.on(SwitchEnded{Bench::id(2), {}});
    return bench.all_durable();
}

Activation with_health() {
    Activation how;
    how.health = HealthCheck{"bin/check", {"--quick"}};
    return how;
}

Activation with_unit() {
    Activation how;
    how.units = {"kiosk.service"};
    return how;
}

// Another life of the same node.
Bench started_again(Bench const& before, std::uint64_t current, Holds holds = {}) {
    return Bench(before.agent.state(), {{software(), Bench::id(current)}},
                 *SigningKey::from_pem(before.key.to_pem(""), ""), {}, std::move(holds));
}

}  // namespace

// ---- holds and time windows ----

TEST_CASE("a release that is held is staged, reported as held with the reason, and not looked at until it is let go") {
    Bench bench({}, {}, SigningKey::generate(), {}, {});
    bench.check_in();
    bench.record(1);
    bench.to_active(1);
    bench.on(HoldsRead{all_held()});
    bench.record(2);
    auto actions = bench.to_staged(2);
    CHECK_FALSE(any<ProbeUse>(actions));
    Bench::append(actions, bench.all_durable());
    CHECK(last_report(actions).state == NodeState::held);
    CHECK(last_report(actions).why.find("held by anna") == 0);
    CHECK_FALSE(any<ProbeUse>(bench.idle(2h)));

    bench.on(HoldsRead{{}});
    CHECK(only<ProbeUse>(bench.all_durable()).active == Bench::id(1));
}

TEST_CASE("a hold ends the wait for users, and the lock with it") {
    Bench bench;
    second_staged(bench);
    bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, ""});
    bench.all_durable();
    CHECK(any<LetGo>(bench.on(HoldsRead{all_held()})));
    bench.all_durable();
    CHECK(bench.state().phase == Phase::held);
    CHECK(bench.state().holders.empty());
}

TEST_CASE("a hold that comes during the look lets nothing through that the look finds free") {
    Bench bench;
    REQUIRE(any<ProbeUse>(second_staged(bench)));
    bench.on(HoldsRead{all_held()});
    auto const actions = bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    CHECK(any<LetGo>(actions));
    CHECK_FALSE(any<SwitchCurrent>(bench.all_durable()));
    CHECK(bench.state().phase == Phase::held);
}

TEST_CASE("a hold that expires lets the release through by itself") {
    Bench bench;
    second_staged(bench);
    bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, ""});
    bench.on(HoldsRead{all_held(WallTime{bench.now.wall.micros + 3'600'000'000})});
    bench.all_durable();
    REQUIRE(bench.state().phase == Phase::held);
    bench.idle(59min);
    CHECK(bench.state().phase == Phase::held);
    bench.idle(2min);
    bench.all_durable();
    CHECK(bench.state().phase == Phase::staged);
}

TEST_CASE("a hold outlives the daemon") {
    Bench before;
    second_staged(before);
    before.on(HoldsRead{all_held()});
    before.on(UseFound{software(), UseAnswer::free, {}, ""});
    before.all_durable();
    auto after = started_again(before, 1, all_held());
    CHECK_FALSE(any<ProbeUse>(after.start()));
    CHECK_FALSE(any<ProbeUse>(after.all_durable()));
    CHECK(after.state().phase == Phase::held);
}

TEST_CASE("a newer release takes the place of one that is held") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_active(1);
    bench.on(HoldsRead{all_held()});
    bench.record(2);
    bench.to_staged(2);
    bench.all_durable();
    bench.record(3);
    bench.to_staged(3);
    bench.all_durable();
    CHECK(bench.state().phase == Phase::held);
    CHECK(bench.state().entry.seq == Seq{3});
}

TEST_CASE("outside of its time windows a release is held, and goes on when they open") {
    Bench bench;
    bench.now.wall = WallTime{1'768'478'400'000'000};  // noon, UTC
    bench.activation = Activation{};
    bench.activation->windows = "22:00-05:00 UTC";
    second_staged(bench);
    bench.all_durable();
    CHECK(bench.state().phase == Phase::held);
    CHECK(bench.state().why.find("until 2026-01-15T22:00:00Z") != std::string::npos);
    bench.idle(9h + 50min);
    CHECK(bench.state().phase == Phase::held);
    bench.idle(11min);
    CHECK(any<ProbeUse>(bench.all_durable()));
}

// ---- users that are ended ----

TEST_CASE("with policy restart users are asked to end, ended after the grace, and started again after the switch") {
    Bench bench;
    bench.policy = Policy::restart;
    bench.activation = Activation{};
    bench.activation->grace = 7;
    second_staged(bench);
    auto actions = bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, "in use by 1 process"});
    CHECK(any<LetGo>(actions));
    CHECK_FALSE(any<EndUse>(actions));  // not before it is durable that they have to be started again
    actions = bench.all_durable();
    auto const order = only<EndUse>(actions);
    CHECK(order.active == Bench::id(1));
    CHECK(order.holders == std::vector{holder(5)});
    CHECK(order.grace == 7s);
    CHECK(last_report(actions).state == NodeState::waiting);
    CHECK(last_report(actions).holders.size() == 1);

    REQUIRE(any<ProbeUse>(bench.on(UseEnded{software(), "pid 5 (kiosk) was killed after 7 s"})));
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    CHECK(bench.state().why == "pid 5 (kiosk) was killed after 7 s");
    REQUIRE(any<SwitchCurrent>(bench.all_durable()));
    bench.on(SwitchEnded{Bench::id(2), {}});
    CHECK(any<StartUse>(bench.all_durable()));
    bench.on(UseStarted{software(), {}});
    CHECK_FALSE(any<StartUse>(bench.all_durable()));
    CHECK(bench.state().phase == Phase::active);
}

TEST_CASE("users who stay are started again with the others, and asked to end again later, not at once") {
    Bench bench;
    bench.policy = Policy::restart;
    second_staged(bench);
    bench.on(UseFound{software(), UseAnswer::in_use, {holder(5), holder(6)}, ""});
    bench.all_durable();
    bench.on(UseEnded{software(), "pid 6 stays"});
    auto actions = bench.on(UseFound{software(), UseAnswer::in_use, {holder(6)}, ""});
    CHECK(any<WatchUse>(actions));
    CHECK(any<StartUse>(actions));
    Bench::append(actions, bench.all_durable());
    CHECK(last_report(actions).why == "pid 6 stays");
    bench.on(UseStarted{software(), {}});
    REQUIRE(any<ProbeUse>(bench.all_durable()));
    bench.on(UseFound{software(), UseAnswer::in_use, {holder(6)}, ""});
    CHECK_FALSE(any<EndUse>(bench.all_durable()));
    CHECK(any<ProbeUse>(bench.idle(6min)));
    bench.on(UseFound{software(), UseAnswer::in_use, {holder(6)}, ""});
    CHECK(any<EndUse>(bench.all_durable()));
}

TEST_CASE("users who were ended are started again if a hold comes before the switch, and after a crash") {
    Bench bench;
    bench.policy = Policy::restart;
    second_staged(bench);
    bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, ""});
    bench.all_durable();
    SECTION("hold") {
        bench.on(HoldsRead{all_held()});
        bench.on(UseEnded{software(), ""});
        CHECK(any<StartUse>(bench.all_durable()));
        bench.on(UseStarted{software(), {}});
        bench.all_durable();
        CHECK(bench.state().phase == Phase::held);
    }
    SECTION("crash behind the switch") {
        bench.on(UseEnded{software(), ""});
        bench.on(UseFound{software(), UseAnswer::free, {}, ""});
        bench.all_durable();
        bench.on(SwitchEnded{Bench::id(2), {}});
        bench.one_durable();
        auto after = started_again(bench, 2);
        CHECK(any<StartUse>(after.start()));
    }
    SECTION("a newer release") {
        bench.record(3);
        CHECK(any<StartUse>(bench.on(UseEnded{software(), ""})));
    }
}

TEST_CASE("with policy wait a deadline ends the wait") {
    Bench bench;
    bench.activation = Activation{};
    bench.activation->deadline = 1800;
    second_staged(bench);
    bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, ""});
    CHECK_FALSE(any<EndUse>(bench.all_durable()));
    CHECK_FALSE(any<ProbeUse>(bench.idle(29min)));
    CHECK(any<ProbeUse>(bench.idle(2min)));
    bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, ""});
    CHECK(any<EndUse>(bench.all_durable()));
}

TEST_CASE("a clock that is set ahead does not end the wait, and what was waited survives the daemon") {
    Bench bench;
    bench.activation = Activation{};
    bench.activation->deadline = 3600;
    second_staged(bench);
    bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, ""});
    bench.all_durable();
    bench.now.wall.micros += 30LL * 24 * 3600 * 1'000'000;
    bench.on(UseMayHaveEnded{software()});
    bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, ""});
    CHECK_FALSE(any<EndUse>(bench.all_durable()));
    for (int minutes = 0; minutes < 40; minutes += 10) {
        bench.idle(10min);
        bench.all_durable();
    }
    auto after = started_again(bench, 1);
    after.start();
    after.all_durable();
    after.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, ""});
    CHECK_FALSE(any<EndUse>(after.all_durable()));
    CHECK_FALSE(any<ProbeUse>(after.idle(15min)));
    CHECK(any<ProbeUse>(after.idle(6min)));
    after.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, ""});
    CHECK(any<EndUse>(after.all_durable()));
}

TEST_CASE("users who come and go are named once a second") {
    Bench bench;
    second_staged(bench);
    CHECK(any<TellHolders>(bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, ""})));
    bench.all_durable();
    bench.on(UseMayHaveEnded{software()});
    CHECK_FALSE(any<TellHolders>(bench.on(UseFound{software(), UseAnswer::in_use, {holder(6)}, ""})));
    CHECK(bench.state().holders.front().pid == 5);
    CHECK(any<ProbeUse>(bench.idle(1s)));
    CHECK(any<TellHolders>(bench.on(UseFound{software(), UseAnswer::in_use, {holder(7)}, ""})));
    CHECK(bench.state().holders.front().pid == 7);
}

TEST_CASE("with policy wait and no deadline nobody is ever ended") {
    Bench bench;
    second_staged(bench);
    for (int day = 0; day < 40; ++day) {
        bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, ""});
        bench.all_durable();
        CHECK_FALSE(any<EndUse>(bench.idle(24h)));
        bench.on(UseMayHaveEnded{software()});
    }
    CHECK(bench.state().phase == Phase::waiting);
}

TEST_CASE("whoever keeps a release waiting is told again after a day, not before") {
    Bench bench;
    second_staged(bench);
    bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, ""});
    auto told = holder(5);
    told.told = bench.now.wall;
    bench.on(HoldersTold{software(), {told}});
    bench.all_durable();
    auto const look = [&] {
        bench.on(UseMayHaveEnded{software()});
        auto const actions = bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, ""});
        bench.all_durable();
        return actions;
    };
    bench.idle(23h);
    CHECK_FALSE(any<TellHolders>(look()));
    bench.idle(1h + 1s);
    CHECK_FALSE(only<TellHolders>(look()).holders.at(0).told);
}

TEST_CASE(
    "services end before the switch also where nobody is seen, and the release is on trial until they have started") {
    Bench bench;
    bench.policy = Policy::restart;
    bench.activation = with_unit();
    second_staged(bench);
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    CHECK(only<EndUse>(bench.all_durable()).units == std::vector<std::string>{"kiosk.service"});
    bench.on(UseEnded{software(), ""});
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    bench.all_durable();
    bench.on(SwitchEnded{Bench::id(2), {}});
    CHECK(only<StartUse>(bench.all_durable()).units == std::vector<std::string>{"kiosk.service"});
    CHECK(bench.state().phase == Phase::verifying);
    SECTION("they start") {
        bench.on(UseStarted{software(), {}});
        bench.all_durable();
        CHECK(bench.state().phase == Phase::active);
    }
    SECTION("they do not start: the release before it is active again, and they start with that") {
        bench.on(UseStarted{software(), fail(Fault::failed, "kiosk.service does not start")});
        REQUIRE(any<ProbeUse>(bench.all_durable()));
        bench.on(UseFound{software(), UseAnswer::free, {}, ""});
        REQUIRE(any<EndUse>(bench.all_durable()));
        bench.on(UseEnded{software(), ""});
        CHECK(only<SwitchCurrent>(bench.on(UseFound{software(), UseAnswer::free, {}, ""})).release == Bench::id(1));
        bench.on(SwitchEnded{Bench::id(1), {}});
        CHECK(any<StartUse>(bench.all_durable()));
        bench.on(UseStarted{software(), {}});
        auto const actions = bench.all_durable();
        CHECK(last_report(actions).state == NodeState::rolled_back);
        CHECK(last_report(actions).active == Seq{1});
        CHECK(last_report(actions).why.find("kiosk.service does not start") != std::string::npos);
    }
}

// ---- trials ----

TEST_CASE("a release with a health check is on trial until that has passed") {
    Bench bench;
    bench.activation = with_health();
    auto actions = second_on_trial(bench);
    auto const order = only<CheckHealth>(actions);
    CHECK(order.release == Bench::id(2));
    CHECK(order.check == *with_health().health);
    CHECK(last_report(actions).state == NodeState::verifying);
    CHECK(last_report(actions).active == Seq{2});
    bench.on(HealthFound{Bench::id(2), {}});
    actions = bench.all_durable();
    CHECK(last_report(actions).state == NodeState::active);
    CHECK(any<RemoveVersions>(actions));
    CHECK(bench.state().proven == ReleaseRef{Seq{2}, Bench::version(2)});
}

TEST_CASE("a release that does not pass its health check is rolled back, and waits for a newer one") {
    Bench bench;
    bench.activation = with_health();
    second_on_trial(bench);
    bench.on(HealthFound{Bench::id(2), fail(Fault::failed, "bin/check ended with status 1: no display")});
    REQUIRE(only<ProbeUse>(bench.all_durable()).active == Bench::id(2));
    auto const used = GENERATE(UseAnswer::free, UseAnswer::in_use, UseAnswer::unknown);  // who uses it keeps its files
    CHECK(only<SwitchCurrent>(bench.on(UseFound{software(), used, {}, ""})).release == Bench::id(1));
    bench.on(SwitchEnded{Bench::id(1), {}});
    auto const actions = bench.all_durable();
    auto const report = last_report(actions);
    CHECK(report.state == NodeState::rolled_back);
    CHECK(report.active == Seq{1});
    CHECK(report.why == "1.1 is active again: bin/check ended with status 1: no display");
    auto const later = bench.idle(48h);
    CHECK_FALSE(any<SwitchCurrent>(later));
    CHECK_FALSE(any<CheckHealth>(later));

    if (bench.agent.link().state() == Link::State::closed) bench.reconnect(2);
    bench.activation.reset();
    bench.record(3);
    bench.to_active(3);
    CHECK(bench.state().phase == Phase::active);
}

TEST_CASE("a first release that does not work has nothing to go back to: it fails, and is tried again") {
    Bench bench;
    bench.activation = with_health();
    bench.check_in();
    bench.record(1);
    bench.to_staged(1);
    bench.on(SwitchEnded{Bench::id(1), {}});
    REQUIRE(any<CheckHealth>(bench.all_durable()));
    bench.on(HealthFound{Bench::id(1), fail(Fault::failed, "bin/check ended with status 1")});
    auto const report = last_report(bench.all_durable());
    CHECK(report.state == NodeState::failed);
    CHECK(report.why.find("no release to go back to") != std::string::npos);
    CHECK(any<MakePlan>(bench.idle(2min)));
}

TEST_CASE("the way back leads to the last release that was shown to work, not to one that was never tried to the end") {
    Bench bench;
    bench.activation = with_health();
    second_on_trial(bench);
    bench.record(3);  // while the trial of 2 goes on
    bench.on(HealthFound{Bench::id(2), fail(Fault::failed, "no")});
    bench.to_staged(3);
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    bench.all_durable();
    bench.on(SwitchEnded{Bench::id(3), {}});
    bench.all_durable();
    bench.on(HealthFound{Bench::id(3), fail(Fault::failed, "no")});
    bench.all_durable();
    CHECK(only<SwitchCurrent>(bench.on(UseFound{software(), UseAnswer::free, {}, ""})).release == Bench::id(1));
}

TEST_CASE("a release that takes the daemon down with each trial is rolled back after three") {
    auto bench = std::make_unique<Bench>();
    bench->activation = with_health();
    second_on_trial(*bench);
    for (int life = 0; life < 2; ++life) {
        bench.reset(new Bench(started_again(*bench, 2)));
        bench->start();
        REQUIRE(any<CheckHealth>(bench->all_durable()));
    }
    auto last = started_again(*bench, 2);
    last.start();
    auto const actions = last.all_durable();
    CHECK_FALSE(any<CheckHealth>(actions));
    CHECK(any<ProbeUse>(actions));
    CHECK(last.state().phase == Phase::rolling_back);
    CHECK(last.state().why.find("3 health checks were begun") == 0);
}

TEST_CASE("after a crash on the way back the way goes on") {
    Bench before;
    before.activation = with_health();
    second_on_trial(before);
    before.on(HealthFound{Bench::id(2), fail(Fault::failed, "no")});
    before.all_durable();
    SECTION("before the switch") {
        auto after = started_again(before, 2);
        REQUIRE(any<ProbeUse>(after.start()));
        CHECK(only<SwitchCurrent>(after.on(UseFound{software(), UseAnswer::free, {}, ""})).release == Bench::id(1));
    }
    SECTION("behind it") {
        auto after = started_again(before, 1);
        CHECK(only<SwitchCurrent>(after.start()).release == Bench::id(1));
        after.on(SwitchEnded{Bench::id(1), {}});
        after.all_durable();
        CHECK(after.state().phase == Phase::rolled_back);
    }
}

TEST_CASE("a trial ends when `current` points elsewhere after a crash: the release is installed again") {
    Bench before;
    before.activation = with_health();
    second_on_trial(before);
    auto after = started_again(before, 1);
    after.start();
    CHECK(after.state().phase == Phase::announced);
}

TEST_CASE("of several health checks that never ended, each runs alone, so that one that ends the machine is found") {
    Bench before;
    before.activation = with_health();
    before.check_in();
    std::map<SoftwareName, ReleaseId> installed;
    std::uint64_t seq = 0;
    for (auto const* name : {"kiosk", "tills"}) {
        before.record(++seq, name);
        before.to_staged(seq, name);
        before.on(SwitchEnded{Bench::id(seq, name), {}});
        REQUIRE(any<CheckHealth>(before.all_durable()));  // the first ones run side by side
        installed[software(name)] = Bench::id(seq, name);
    }
    Bench after(before.agent.state(), installed, *SigningKey::from_pem(before.key.to_pem(""), ""));
    auto actions = after.start();
    Bench::append(actions, after.all_durable());
    auto const first = only<CheckHealth>(actions);
    after.on(HealthFound{first.release, {}});
    auto const second = only<CheckHealth>(after.all_durable());
    CHECK(second.release.software != first.release.software);
    after.on(HealthFound{second.release, {}});
    after.all_durable();
    for (auto const* name : {"kiosk", "tills"}) CHECK(after.state(name).phase == Phase::active);
}

TEST_CASE("a first release whose trials ended the daemon gets new ones when it is tried again") {
    auto bench = std::make_unique<Bench>();
    bench->activation = with_health();
    bench->check_in();
    bench->record(1);
    bench->to_staged(1);
    bench->on(SwitchEnded{Bench::id(1), {}});
    REQUIRE(any<CheckHealth>(bench->all_durable()));
    for (int life = 0; life < 3; ++life) {
        bench.reset(new Bench(started_again(*bench, 1)));
        bench->start();
        bench->all_durable();
    }
    REQUIRE(bench->state().phase == Phase::failed);
    bench->pass(std::chrono::hours(2));
    bench->on(Tick{});
    bench->all_durable();
    CHECK(bench->state().phase != Phase::failed);
    CHECK(bench->state().trials == 0);
}

TEST_CASE(
    "a release that the node went back to is put right like any other, and if it is lost the newest gets another try") {
    Bench bench;
    bench.activation = with_health();
    second_on_trial(bench);
    bench.on(HealthFound{Bench::id(2), fail(Fault::failed, "no")});
    bench.all_durable();
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    bench.on(SwitchEnded{Bench::id(1), {}});
    bench.all_durable();
    REQUIRE(bench.state().phase == Phase::rolled_back);
    TreeFindings findings{Bench::id(1), 0, 1, "bin/app: contents differ", {Bench::segment(1)}, {}};
    SECTION("a segment of it is lost") {
        auto const actions = bench.on(TreesScanned{software(), false, false, std::nullopt, {findings}});
        auto const fetch = sent<Fetch>(actions);
        REQUIRE(fetch.size() == 1);
        CHECK(fetch[0].items.at(0).object == Bench::segment(1).digest);
        CHECK(bench.state().phase == Phase::rolled_back);
    }
    SECTION("all of it is lost") {
        findings = {Bench::id(1), 0, 0, "", {}, fail(Fault::not_found, "it is not there")};
        bench.on(TreesScanned{software(), false, false, std::nullopt, {findings}});
        bench.all_durable();
        CHECK(bench.state().phase == Phase::announced);
        CHECK_FALSE(bench.state().proven);
        CHECK_FALSE(bench.state().active);
    }
}

TEST_CASE("the next release waits for processes of a live one whose tree was found incomplete while it was held") {
    Bench bench;
    bench.activation = with_health();
    bench.check_in();
    bench.record(1);
    bench.to_staged(1);
    bench.all_durable();
    bench.on(SwitchEnded{Bench::id(1), {}});
    bench.all_durable();
    bench.on(HealthFound{Bench::id(1), fail(Fault::failed, "no")});
    bench.all_durable();
    REQUIRE(bench.state().phase == Phase::failed);
    bench.on(HoldsRead{all_held()});
    bench.idle(2min);
    bench.on(PlanMade{Bench::id(1), Plan{}});
    bench.on(StageEnded{Bench::id(1), {}, {}});
    bench.all_durable();
    REQUIRE(bench.state().phase == Phase::held);
    REQUIRE(any<ScanTrees>(bench.idle(20min)));
    TreeFindings const findings{Bench::id(1), 0, 1, "bin/app: contents differ", {Bench::segment(1)}, {}};
    bench.on(TreesScanned{software(), false, false, std::nullopt, {findings}});
    bench.all_durable();
    CHECK(bench.state().phase == Phase::announced);
    CHECK(bench.state().active == ReleaseRef{Seq{1}, Bench::version(1)});
    bench.on(HoldsRead{Holds{}});
    bench.activation.reset();
    if (!bench.agent.link().open()) bench.reconnect(1);
    bench.record(2);
    bench.on(PlanMade{Bench::id(1), Plan{}});  // of the repair, which is over
    auto const actions = bench.to_staged(2);
    CHECK(only<ProbeUse>(actions).active == Bench::id(1));
    CHECK_FALSE(any<SwitchCurrent>(actions));
}

}  // namespace agent_activation_test
