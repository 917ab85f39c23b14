#include <catch2/catch.hpp>

#include "tests/unit/subscriber/agent/orders_bench.hpp"

namespace agent_going_back_test {

// Releases that go back to an older one: a node that still has that one needs no byte from the broker.

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;

namespace {

// Release `seq` with the contents of release `older`, in the place of the one before it.
LogEntry back_to(Bench const& bench, std::uint64_t older, std::uint64_t seq) {
    auto info = Bench::info_of(older);
    info.version = *version_back_to(info.version, seq - 1);
    return Bench::entry_of(bench.key, seq, info);
}

ReleaseId id_back_to(std::uint64_t older, std::uint64_t seq) {
    return {software(), Seq{seq}, *version_back_to(Bench::version(older), seq - 1)};
}

Actions recorded(Bench& bench, LogEntry const& entry) {
    auto actions = bench.announce(entry);
    Bench::append(actions, bench.all_durable());
    return actions;
}

bool fetches(Actions const& actions, Digest const& object) {
    for (auto const& fetch : sent<Fetch>(actions)) {
        if (std::ranges::any_of(fetch.items, [&](auto const& item) { return item.object == object; })) return true;
    }
    return false;
}

// Release 2 is live, and release 1 was before.
void both_installed(Bench& bench) {
    bench.check_in();
    bench.record(1);
    bench.to_active(1);
    bench.record(2);
    bench.to_active(2);
    REQUIRE(bench.state().previous == ReleaseRef{Seq{1}, Bench::version(1)});
}

}  // namespace

TEST_CASE("going back to the release before fetches nothing and asks for no patch") {
    Bench bench;
    both_installed(bench);
    auto const actions = recorded(bench, back_to(bench, 1, 3));
    CHECK(sent<Fetch>(actions).empty());
    CHECK(sent<PatchQuery>(actions).empty());
    auto const plan = only<MakePlan>(actions);
    CHECK(plan.materials.release == id_back_to(1, 3));
    CHECK(plan.materials.manifest == Bench::manifest(1));
    CHECK(plan.materials.seed == Bench::id(1));

    auto const stage = only<StageRelease>(bench.on(PlanMade{id_back_to(1, 3), Plan{}}));
    CHECK(stage.materials.seed == Bench::id(1));
    bench.on(StageEnded{id_back_to(1, 3), {}, {}});
    bench.all_durable();
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    CHECK(only<SwitchCurrent>(bench.all_durable()).release == id_back_to(1, 3));
    bench.on(SwitchEnded{id_back_to(1, 3), {}});
    auto const done = bench.all_durable();
    CHECK(last_report(done).state == NodeState::active);
    CHECK(last_report(done).active == Seq{3});
}

TEST_CASE("going back to what is live already fetches nothing either") {
    Bench bench;
    both_installed(bench);
    auto const plan = only<MakePlan>(recorded(bench, back_to(bench, 2, 3)));
    CHECK(plan.materials.seed == Bench::id(2));
}

TEST_CASE("going back to a release of which nothing is here is an update like others") {
    Bench bench;
    both_installed(bench);
    bench.record(3);
    bench.to_active(3);
    auto const actions = recorded(bench, back_to(bench, 1, 4));
    CHECK(sent<PatchQuery>(actions).size() == 1);
    CHECK(fetches(actions, Bench::manifest(1)));
    CHECK_FALSE(any<MakePlan>(actions));
}

TEST_CASE("where the older release is damaged its contents are fetched") {
    Bench bench;
    both_installed(bench);
    recorded(bench, back_to(bench, 1, 3));
    SECTION("which the plan finds") {
        CHECK(fetches(bench.on(PlanMade{id_back_to(1, 3), fail(Fault::damaged, "the manifest is not here")}),
                      Bench::manifest(1)));
    }
    SECTION("which is found when the tree is made") {
        bench.on(PlanMade{id_back_to(1, 3), Plan{}});
        bench.on(StageEnded{
            id_back_to(1, 3), fail(Fault::damaged, "the manifest is not here"), {{Bench::manifest(1), Bytes()}}});
        bench.all_durable();
        CHECK(bench.agent.fetcher().anything_missing());
    }
    CHECK(bench.state().phase == Phase::announced);
    auto const plan = only<MakePlan>(bench.object_comes(Bench::manifest(1), Bytes(100)));
    CHECK(plan.materials.seed == Bench::id(2));
    CHECK(plan.materials.objects.contains(Bench::manifest(1)));
    bench.on(PlanMade{id_back_to(1, 3), Plan{{Bench::segment(1)}}});
    CHECK(any<StageRelease>(bench.object_comes(Bench::segment(1).digest, Bytes(50))));
}

TEST_CASE("files of the older release that are damaged are fetched, and the others are not") {
    Bench bench;
    both_installed(bench);
    recorded(bench, back_to(bench, 1, 3));
    bench.on(PlanMade{id_back_to(1, 3), Plan{}});
    auto const actions = bench.on(StageEnded{id_back_to(1, 3), fail(Fault::damaged, "bin/app"), {Bench::segment(1)}});
    CHECK(fetches(actions, Bench::segment(1).digest));
    CHECK_FALSE(fetches(actions, Bench::manifest(1)));
}

TEST_CASE("a newer release that goes back is not misled by an older release that was found to be useless") {
    Bench bench;
    both_installed(bench);
    recorded(bench, back_to(bench, 1, 3));
    bench.on(PlanMade{id_back_to(1, 3), fail(Fault::damaged, "not here")});
    auto const plan = only<MakePlan>(recorded(bench, back_to(bench, 2, 4)));
    CHECK(plan.materials.seed == Bench::id(2));
}

}  // namespace agent_going_back_test
