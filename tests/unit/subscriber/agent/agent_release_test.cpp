// A release on its way from the announcement to being live.

#include <catch2/catch.hpp>

#include "tests/unit/subscriber/agent/orders_bench.hpp"

namespace agent_release_test {

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;
using namespace std::chrono_literals;

TEST_CASE("a first release is fetched, staged, activated without a look, and reported at each durable step") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    CHECK(sent<Fetch>(bench.to_fetching(1)).at(0).items.at(0).object == Bench::segment(1).digest);
    auto actions = bench.object_comes(Bench::segment(1).digest, Bytes(50));
    auto const order = only<StageRelease>(actions).materials;
    CHECK(order.manifest == Bench::manifest(1));
    CHECK(order.objects.size() == 2);
    CHECK_FALSE(order.seed);

    actions = bench.on(StageEnded{Bench::id(1), {}, {}});
    CHECK(sent<Report>(actions).empty());
    actions = bench.all_durable();
    CHECK_FALSE(any<ProbeUse>(actions));
    CHECK(sent<Report>(actions).at(0).state == NodeState::switching);
    CHECK(only<SwitchCurrent>(actions).release == Bench::id(1));
    actions = bench.on(SwitchEnded{Bench::id(1), {}});
    CHECK(sent<Report>(actions).empty());
    actions = bench.all_durable();
    CHECK(last_report(actions).state == NodeState::active);
    CHECK(last_report(actions).active == Seq{1});
    CHECK(only<RemoveVersions>(actions).keep == std::vector{Bench::id(1)});
    CHECK_FALSE(all<DropObjects>(actions).empty());
}

TEST_CASE("the next release is planned from the active one, which stays as the previous one") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_active(1);
    bench.record(2);
    auto const actions = bench.object_comes(Bench::manifest(2), Bytes(100));
    CHECK(only<MakePlan>(actions).materials.seed == Bench::id(1));
    bench.on(PlanMade{Bench::id(2), Plan{}});
    bench.on(StageEnded{Bench::id(2), {}, {}});
    bench.all_durable();
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    bench.all_durable();
    bench.on(SwitchEnded{Bench::id(2), {}});
    CHECK(only<RemoveVersions>(bench.all_durable()).keep == std::vector{Bench::id(2), Bench::id(1)});
}

TEST_CASE("the switch is ordered only after it is in the journal") {
    Bench bench;
    REQUIRE(any<ProbeUse>(second_staged(bench)));
    CHECK_FALSE(any<SwitchCurrent>(bench.on(UseFound{software(), UseAnswer::free, {}, ""})));
    CHECK(only<SwitchCurrent>(bench.all_durable()).release == Bench::id(2));
}

TEST_CASE("a newer release replaces the target in every phase, and only the newest becomes active") {
    auto const stop_at = GENERATE(0, 1, 2, 3, 4, 5, 6, 7, 8);
    INFO("stage " << stop_at);
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_active(1);
    bench.announce(bench.release(2));
    if (stop_at >= 1) bench.all_durable();                                          // announced
    if (stop_at >= 2) bench.object_comes(Bench::manifest(2), Bytes(100));           // plan ordered
    if (stop_at >= 3) bench.on(PlanMade{Bench::id(2), Plan{{Bench::segment(2)}}});  // fetching
    if (stop_at >= 4) bench.object_comes(Bench::segment(2).digest, Bytes(50));      // tree ordered
    if (stop_at >= 5) bench.on(StageEnded{Bench::id(2), {}, {}});                   // staged, not durable
    if (stop_at >= 6) bench.all_durable();                                          // probe ordered
    if (stop_at >= 7) bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, "in use"});
    if (stop_at >= 8) {
        bench.all_durable();
        bench.on(UseMayHaveEnded{software()});
        bench.on(UseFound{software(), UseAnswer::free, {}, ""});  // switching, not durable
    }
    auto recorded = bench.announce(bench.release(3));
    Bench::append(recorded, bench.all_durable());
    CHECK(any<LetGo>(recorded) == (stop_at >= 7));
    CHECK_FALSE(any<SwitchCurrent>(recorded));

    // What the workers were at ends now.
    Actions actions;
    if (stop_at == 2) Bench::append(actions, bench.on(PlanMade{Bench::id(2), Plan{{Bench::segment(2)}}}));
    if (stop_at == 4) Bench::append(actions, bench.on(StageEnded{Bench::id(2), {}, {}}));
    if (stop_at == 6) {
        Bench::append(actions, bench.on(UseFound{software(), UseAnswer::free, {}, ""}));
        CHECK(any<LetGo>(actions));
    }
    CHECK_FALSE(any<SwitchCurrent>(actions));
    CHECK(bench.state().entry.seq == Seq{3});
    CHECK(bench.state().phase == Phase::announced);
    bench.to_active(3);
    CHECK(bench.state().active == ReleaseRef{Seq{3}, Bench::version(3)});
}

TEST_CASE("a release that comes in the instant of the switch is installed after it") {
    Bench bench;
    second_staged(bench);
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    REQUIRE(any<SwitchCurrent>(bench.all_durable()));
    bench.announce(bench.release(3));
    auto actions = bench.all_durable();
    CHECK_FALSE(any<LetGo>(actions));  // the switch has the lock
    CHECK(sent<Fetch>(actions).empty());
    bench.on(SwitchEnded{Bench::id(2), {}});
    actions = bench.all_durable();
    auto const report = last_report(actions);
    CHECK(report.seq == Seq{3});
    CHECK(report.active == Seq{2});
    CHECK(sent<Fetch>(actions).size() == 1);
}

TEST_CASE("three releases in one page: only the newest is fetched") {
    Bench bench;
    bench.check_in();
    bench.on(AnnouncementHeard{Head{epoch, Seq{3}, {}, 0}});
    auto actions = bench.hear(LogPage{epoch, Seq{0}, {bench.release(1), bench.release(2), bench.release(3)}, Seq{3}});
    Bench::append(actions, bench.all_durable());
    auto const fetch = sent<Fetch>(actions);
    REQUIRE(fetch.size() == 1);
    CHECK(fetch[0].seq == Seq{3});
}

}  // namespace agent_release_test
