#include <catch2/catch.hpp>

#include "tests/unit/subscriber/agent/orders_bench.hpp"

namespace target_test {

// The state of one target begins anew with the next one. One test for each part of it that could be carried over.

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;
using namespace std::chrono_literals;

namespace {

Actions newer_release(Bench& bench, std::uint64_t seq) {
    auto actions = bench.announce(bench.release(seq));
    Bench::append(actions, bench.all_durable());
    return actions;
}

Actions in_use(Bench& bench, std::string why = "in use by 1 process") {
    auto actions = bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, std::move(why)});
    Bench::append(actions, bench.all_durable());
    return actions;
}

}  // namespace

TEST_CASE("of a record only what is installed, the revision and the users that were ended outlive a target") {
    Bench bench;
    bench.policy = Policy::restart;
    second_staged(bench);
    in_use(bench);
    bench.on(UseEnded{software(), "pid 5 has not ended"});
    in_use(bench);
    auto const before = bench.state();
    REQUIRE(before.ended == true);
    REQUIRE(before.staged);
    REQUIRE_FALSE(before.holders.empty());
    bench.announce(bench.release(3));
    auto const after = bench.state();
    CHECK(after.phase == Phase::announced);
    CHECK(after.why.empty());
    CHECK(after.holders.empty());
    CHECK(after.failures == 0);
    CHECK_FALSE(after.staged);
    CHECK_FALSE(after.trials);
    CHECK_FALSE(after.waited);
    CHECK(after.active == before.active);
    CHECK(after.previous == before.previous);
    CHECK(after.proven == before.proven);
    CHECK(after.ended == true);
    CHECK(after.revision == before.revision + 1);
}

// `wanted`, `had`: objects of the plan before are not taken for those of the new one.
TEST_CASE("objects that were wanted for a release before are not wanted for the new one, and its own are") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_fetching(1);
    newer_release(bench, 2);
    CHECK(sent<Fetch>(bench.to_fetching(2)).at(0).items.at(0).object == Bench::segment(2).digest);
    CHECK(any<StageRelease>(bench.object_comes(Bench::segment(2).digest, Bytes(50))));
}

// `restaged`: what failed so often for the release before does not count against the new one.
TEST_CASE("a new release has all of its attempts to fetch again what staging finds damaged") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_fetching(1);
    bench.object_comes(Bench::segment(1).digest, Bytes(50));
    for (std::uint64_t i = 0; i < 4; ++i) {
        bench.on(StageEnded{Bench::id(1), fail(Fault::damaged, "bad"), {Bench::segment(10 + i)}});
        bench.object_comes(Bench::segment(10 + i).digest, Bytes(50));
    }
    newer_release(bench, 2);
    bench.on(StageEnded{Bench::id(1), fail(Fault::cancelled, "cancelled"), {}});
    bench.to_fetching(2);
    bench.object_comes(Bench::segment(2).digest, Bytes(50));
    for (std::uint64_t i = 0; i < 4; ++i) {
        bench.on(StageEnded{Bench::id(2), fail(Fault::damaged, "bad"), {Bench::segment(20 + i)}});
        REQUIRE(bench.state().phase == Phase::fetching);
        bench.object_comes(Bench::segment(20 + i).digest, Bytes(50));
    }
    bench.on(StageEnded{Bench::id(2), fail(Fault::damaged, "bad"), {Bench::segment(30)}});
    CHECK(bench.state().phase == Phase::failed);
}

// `fault`: a disk that was full for the release before does not shorten the pauses of the new one.
TEST_CASE("the pause after a failure goes by the fault of this release, not of the one before") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.object_comes(Bench::manifest(1), Bytes(100));
    bench.on(PlanMade{Bench::id(1), fail(Fault::no_space, "disk full")});
    bench.all_durable();
    newer_release(bench, 2);
    auto actions = bench.object_comes(Bench::manifest(2), Bytes(100));
    for (int i = 0; i < 5; ++i) {
        REQUIRE(any<MakePlan>(actions));
        bench.on(PlanMade{Bench::id(2), fail(Fault::failed, "input/output error")});
        bench.all_durable();
        actions = bench.idle(1h);
    }
    bench.on(PlanMade{Bench::id(2), fail(Fault::failed, "input/output error")});
    bench.all_durable();
    CHECK_FALSE(any<MakePlan>(bench.idle(6min)));
}

// `ended`: what became of users that were ended for the release before is not told of the new one.
TEST_CASE("what became of users that were ended for a release is not reported of the next one") {
    Bench bench;
    bench.policy = Policy::restart;
    second_staged(bench);
    in_use(bench);
    bench.policy = Policy::now;
    newer_release(bench, 3);
    bench.on(UseEnded{software(), "pid 5 (kiosk) has ended"});
    bench.on(UseStarted{software(), {}});
    bench.all_durable();
    bench.to_staged(3);
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    bench.all_durable();
    REQUIRE(bench.state().phase == Phase::switching);
    CHECK(bench.state().why.empty());
}

// `busy_with`: what ends now belongs to the release that it was begun for.
TEST_CASE("the end of a probe that was begun for the release before says nothing about the new one") {
    Bench bench;
    REQUIRE(any<ProbeUse>(second_staged(bench)));
    newer_release(bench, 3);
    auto const ended = bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    CHECK(any<LetGo>(ended));
    CHECK(bench.state().phase == Phase::announced);
}

// `end_again`, `asked_to_end`: the new release may end users at once.
TEST_CASE("users that stayed for the release before are asked to end for the new one without a pause") {
    Bench bench;
    bench.policy = Policy::restart;
    second_staged(bench);
    in_use(bench);
    bench.on(UseEnded{software(), "pid 5 has not ended"});
    CHECK_FALSE(any<EndUse>(in_use(bench)));
    bench.on(UseStarted{software(), {}});
    bench.all_durable();
    bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, "in use by 1 process"});
    newer_release(bench, 3);
    bench.to_staged(3);
    CHECK(any<EndUse>(in_use(bench)));
}

}  // namespace target_test
