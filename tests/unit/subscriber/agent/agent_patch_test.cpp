#include <catch2/catch.hpp>

#include "../agent/agent_bench.hpp"

namespace agent_patch_test {

// How an agent comes by a patch, and how it goes on without one.

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;
using namespace std::chrono_literals;

namespace {

Digest const patch = sha256(as_view("patch"));
Digest const delta = sha256(as_view("delta"));

// A node with release 1 that has heard of release 2 and has asked how to get there.
struct Asked {
    Bench bench;
    Actions actions;

    Asked() {
        bench.answers_plans = false;
        bench.check_in();
        bench.record(1);
        bench.to_active(1);
        actions = bench.record(2);
    }
    Actions answer(std::optional<Digest> found, std::uint64_t wait = 0) {
        return bench.hear(PatchOffer{software(), Seq{1}, Seq{2}, found, found ? Bytes(70) : Bytes(), wait});
    }
    // Has the patch, and a plan with a delta.
    Actions to_fetching() {
        answer(patch);
        auto const planning = bench.object_comes(patch, Bytes(70));
        REQUIRE(any<MakePlan>(planning));
        return bench.on(PlanMade{Bench::id(2), Plan{{{delta, Bytes(30)}}, Bytes(30)}});
    }
};

bool fetches(Actions const& actions, Digest const& object) {
    for (auto const& fetch : sent<Fetch>(actions)) {
        for (auto const& item : fetch.items) {
            if (item.object == object) return true;
        }
    }
    return false;
}

}  // namespace

TEST_CASE("a node that has a release asks how to get to the next one before it fetches anything") {
    Asked node;
    auto const plan = sent<PatchQuery>(node.actions);
    REQUIRE(plan.size() == 1);
    CHECK(plan[0].from == Seq{1});
    CHECK(plan[0].to == Seq{2});
    CHECK(sent<Fetch>(node.actions).empty());
}

TEST_CASE("a node without a release does not ask") {
    Bench bench;
    bench.answers_plans = false;
    bench.check_in();
    auto const actions = bench.record(1);
    CHECK(sent<PatchQuery>(actions).empty());
    CHECK(fetches(actions, Bench::manifest(1)));
}

TEST_CASE("with a patch neither the manifest nor a segment is fetched") {
    Asked node;
    CHECK(fetches(node.answer(patch), patch));
    auto const planning = node.bench.object_comes(patch, Bytes(70));
    auto const order = only<MakePlan>(planning);
    CHECK(order.materials.patch == patch);
    CHECK(order.materials.objects.contains(patch));
    CHECK(order.materials.seed == Bench::id(1));
    auto const planned = node.bench.on(PlanMade{Bench::id(2), Plan{{{delta, Bytes(30)}}, Bytes(30)}});
    CHECK(fetches(planned, delta));
    auto const stage = only<StageRelease>(node.bench.object_comes(delta, Bytes(30)));
    CHECK(stage.materials.patch == patch);
    CHECK(stage.materials.objects.contains(delta));
    node.bench.on(StageEnded{Bench::id(2), {}, {}});
    node.bench.all_durable();
    CHECK(node.bench.state().phase == Phase::staged);
}

TEST_CASE("a patch that holds everything needs no further object") {
    Asked node;
    node.answer(patch);
    node.bench.object_comes(patch, Bytes(70));
    auto const actions = node.bench.on(PlanMade{Bench::id(2), Plan{{}, Bytes(0)}});
    CHECK(any<StageRelease>(actions));
}

TEST_CASE("without a patch everything goes on as if there were none") {
    Asked node;
    CHECK(fetches(node.answer(std::nullopt), Bench::manifest(2)));
    node.bench.to_fetching(2);
    CHECK(node.bench.state().phase == Phase::fetching);
}

TEST_CASE("a patch that is being made is waited for, but not for ever") {
    Asked node;
    auto const waiting = node.answer(std::nullopt, 20'000);
    CHECK(sent<Fetch>(waiting).empty());
    SECTION("it comes") { CHECK(fetches(node.answer(patch), patch)); }
    SECTION("it will not come") { CHECK(fetches(node.answer(std::nullopt), Bench::manifest(2))); }
    SECTION("nothing comes") {
        CHECK_FALSE(fetches(node.bench.idle(39s), Bench::manifest(2)));
        CHECK(fetches(node.bench.idle(2s), Bench::manifest(2)));
        CHECK(sent<Fetch>(node.answer(patch)).empty());  // too late
    }
}

TEST_CASE("a promise of any length is waited for a quarter of an hour at most") {
    Asked node;
    node.answer(std::nullopt, ~0ULL);
    bool asked = false;
    for (int minute = 0; minute < 16; ++minute) {
        auto actions = node.bench.idle(1min);
        if (any<OpenExchange>(actions)) Bench::append(actions, node.bench.welcome(2));
        asked = asked || fetches(actions, Bench::manifest(2));
        if (minute < 14) CHECK_FALSE(asked);
    }
    CHECK(asked);
}

TEST_CASE("who gets no answer asks again, and in a new session as well") {
    Asked node;
    auto const again = node.bench.idle(31s);
    CHECK_FALSE(sent<PatchQuery>(again).empty());
    node.bench.on(ExchangeLost{"broken"});
    REQUIRE(any<OpenExchange>(node.bench.idle(5s)));
    auto const anew = node.bench.welcome(2);
    CHECK(sent<PatchQuery>(anew).size() == 1);
}

TEST_CASE("an answer about another pair of releases is passed over") {
    Asked node;
    CHECK(sent<Fetch>(node.bench.hear(PatchOffer{software(), Seq{1}, Seq{3}, patch, Bytes(70), 0})).empty());
    CHECK(sent<Fetch>(node.bench.hear(PatchOffer{software(), Seq{9}, Seq{2}, patch, Bytes(70), 0})).empty());
    CHECK(sent<Fetch>(node.bench.hear(PatchOffer{software("other"), Seq{1}, Seq{2}, patch, Bytes(70), 0})).empty());
    CHECK(fetches(node.answer(patch), patch));
}

TEST_CASE("a patch that is larger than any is not fetched") {
    Asked node;
    auto const actions = node.bench.hear(PatchOffer{software(), Seq{1}, Seq{2}, patch, limits::patch + Bytes(1), 0});
    CHECK_FALSE(fetches(actions, patch));
    CHECK(fetches(actions, Bench::manifest(2)));
}

TEST_CASE("a patch that the broker lost, or that is damaged, is done without") {
    Asked node;
    node.answer(patch);
    SECTION("absent") { CHECK(fetches(node.bench.hear(ObjectMissing{patch}), Bench::manifest(2))); }
    SECTION("damaged on the way") {
        node.bench.hear(Data{{patch, ObjectCodec::raw, Bytes(70), Bytes(70)}, Bytes()}, Bytes(70));
        CHECK(fetches(node.bench.on(ObjectFinished{patch, fail(Fault::damaged, "other bytes")}), Bench::manifest(2)));
    }
    SECTION("of no use") {
        REQUIRE(any<MakePlan>(node.bench.object_comes(patch, Bytes(70))));
        CHECK(fetches(node.bench.on(PlanMade{Bench::id(2), fail(Fault::damaged, "no patch")}), Bench::manifest(2)));
    }
    CHECK(node.bench.state().phase == Phase::announced);
    node.bench.all_durable();
    node.bench.to_fetching(2);
    CHECK(node.bench.state().phase == Phase::fetching);
}

TEST_CASE("a delta that is not to be had is planned without, and what has come stays") {
    Asked node;
    node.to_fetching();
    auto actions = node.bench.hear(ObjectMissing{delta});
    auto const plan = only<MakePlan>(actions);
    CHECK(plan.useless == std::set{delta});
    CHECK(plan.materials.patch == patch);
    actions = node.bench.on(PlanMade{Bench::id(2), Plan{{Bench::segment(2)}, {}}});
    CHECK(fetches(actions, Bench::segment(2).digest));
    CHECK_FALSE(fetches(actions, patch));
    // A segment that is not there either is the end of this try.
    node.bench.hear(ObjectMissing{Bench::segment(2).digest});
    CHECK(any<MakePlan>(node.bench.on(PlanMade{Bench::id(2), Plan{{Bench::segment(2)}, {}}})) == false);
    node.bench.hear(ObjectMissing{Bench::segment(2).digest});
    CHECK(node.bench.state().phase == Phase::failed);
}

TEST_CASE("a segment that its delta did not give is fetched as well") {
    Asked node;
    node.to_fetching();
    node.bench.object_comes(delta, Bytes(30));
    auto const actions = node.bench.on(
        StageEnded{Bench::id(2), fail(Fault::damaged, "it gives other bytes"), {Bench::segment(2)}});
    CHECK(fetches(actions, Bench::segment(2).digest));
    auto const stage = only<StageRelease>(node.bench.object_comes(Bench::segment(2).digest, Bytes(50)));
    CHECK(stage.materials.objects.contains(Bench::segment(2).digest));
}

TEST_CASE("a patch that was spoilt on the disk before the tree was made is done without") {
    Asked node;
    node.to_fetching();
    node.bench.object_comes(delta, Bytes(30));
    auto const actions = node.bench.on(
        StageEnded{Bench::id(2), fail(Fault::damaged, "the patch"), {{Bench::manifest(2), Bytes()}}});
    CHECK(fetches(actions, Bench::manifest(2)));
}

TEST_CASE("a newer release begins the search anew") {
    Asked node;
    node.answer(patch);
    auto const actions = node.bench.record(3);
    auto const plan = sent<PatchQuery>(actions);
    REQUIRE(plan.size() == 1);
    CHECK(plan[0].from == Seq{1});
    CHECK(plan[0].to == Seq{3});
    CHECK_FALSE(fetches(node.answer(patch), patch));
}

TEST_CASE("after a crash the question is asked again, and what has come is not fetched twice") {
    Asked node;
    node.to_fetching();
    node.bench.object_comes(delta, Bytes(30));
    Bench after(node.bench.agent.state(), {{software(), Bench::id(1)}}, std::move(node.bench.key));
    after.answers_plans = false;
    auto actions = after.start();
    REQUIRE(any<OpenExchange>(actions));
    actions = after.welcome(2);
    REQUIRE(sent<PatchQuery>(actions).size() == 1);
    actions = after.hear(PatchOffer{software(), Seq{1}, Seq{2}, patch, Bytes(70), 0});
    CHECK_FALSE(fetches(actions, patch));
    CHECK(any<MakePlan>(actions));
    actions = after.on(PlanMade{Bench::id(2), Plan{{{delta, Bytes(30)}}, Bytes(30)}});
    CHECK(any<StageRelease>(actions));
}

}  // namespace agent_patch_test
