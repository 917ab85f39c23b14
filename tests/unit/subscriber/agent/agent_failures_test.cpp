// What an agent does when a step of a release fails.

#include <catch2/catch.hpp>

#include "tests/unit/subscriber/agent/orders_bench.hpp"

namespace agent_failures_test {

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;
using namespace std::chrono_literals;

namespace {

// Release 1 is being fetched, of which this one segment is lacking.
Segment fetch_large(Bench& bench) {
    bench.check_in();
    bench.record(1);
    bench.object_comes(Bench::manifest(1), Bytes(100));
    Segment const large{sha256(as_view("large")), MiB(16)};
    bench.on(PlanMade{Bench::id(1), Plan{{large}}});
    return large;
}

ObjectShape raw(Segment const& segment) { return {segment.digest, ObjectCodec::raw, segment.size, segment.size}; }

}  // namespace

TEST_CASE("a failure is reported and tried again after a pause that doubles") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.object_comes(Bench::manifest(1), Bytes(100));
    bench.on(PlanMade{Bench::id(1), fail(Fault::no_space, "disk full")});
    auto const report = last_report(bench.all_durable());
    CHECK(report.state == NodeState::failed);
    CHECK(report.why == "disk full");
    bench.hear(ReportAck{software(), report.revision});
    bench.all_durable();
    CHECK_FALSE(any<MakePlan>(bench.idle(59s)));
    CHECK(any<MakePlan>(bench.idle(2s)));
    bench.on(PlanMade{Bench::id(1), fail(Fault::no_space, "disk full")});
    bench.all_durable();
    CHECK_FALSE(any<MakePlan>(bench.idle(119s)));
    CHECK(any<MakePlan>(bench.idle(2s)));
}

TEST_CASE("on a disk that stays full it is tried every five minutes, other failures wait up to an hour") {
    for (auto const& [fault, most] : {std::pair{Fault::no_space, 5min}, std::pair{Fault::failed, 60min}}) {
        Bench bench;
        bench.check_in();
        bench.record(1);
        auto actions = bench.object_comes(Bench::manifest(1), Bytes(100));
        for (int i = 0; i < 10; ++i) {
            REQUIRE(any<MakePlan>(actions));
            bench.on(PlanMade{Bench::id(1), fail(fault, "not now")});
            bench.all_durable();
            actions = bench.idle(most);
        }
        CHECK(any<MakePlan>(actions));
        bench.on(PlanMade{Bench::id(1), fail(fault, "not now")});
        bench.all_durable();
        CHECK_FALSE(any<MakePlan>(bench.idle(most - 1s)));
    }
}

TEST_CASE("what failed is tried at once by a node that is started anew") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.object_comes(Bench::manifest(1), Bytes(100));
    bench.on(PlanMade{Bench::id(1), fail(Fault::failed, "input/output error")});
    bench.all_durable();
    REQUIRE(bench.state().phase == Phase::failed);
    Bench again(bench.agent.state(), {}, std::move(bench.key));
    again.start();
    CHECK(any<MakePlan>(again.idle(0s)));
}

TEST_CASE("an object that cannot be written is a failure, and what was durable of it is kept") {
    Bench bench;
    auto const large = fetch_large(bench);
    auto const shape = raw(large);
    for (std::uint64_t i = 0; i < 5; ++i) bench.hear(Data{shape, MiB(i)}, MiB(1));
    bench.on(ObjectSynced{large.digest, MiB(4)});
    bench.on(ObjectUnwritten{large.digest, {Fault::no_space, "disk full"}});
    CHECK(last_report(bench.all_durable()).state == NodeState::failed);
    CHECK(bench.hear(Data{shape, MiB(5)}, MiB(1)).size() == 1);  // late: acknowledged, not stored
    auto const again = bench.idle(61s);
    REQUIRE(any<MakePlan>(again));
    bench.on(PlanMade{Bench::id(1), Plan{{large}}});
    auto const fetch = sent<Fetch>(bench.reconnect(1));
    CHECK(fetch.at(0).items.at(0).offset == MiB(4));
}

TEST_CASE("what could not be written and is not recorded leaves no file behind") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_fetching(1);
    auto const segment = Bench::segment(1);
    bench.hear(Data{{segment.digest, ObjectCodec::raw, segment.size, segment.size}, Bytes()}, segment.size);
    auto const actions = bench.on(ObjectUnwritten{segment.digest, {Fault::no_space, "disk full"}});
    CHECK(only<DropObjects>(actions).objects == std::vector{segment.digest});
}

TEST_CASE("an object of several frames is recorded when it begins, and begins anew if it cannot be written") {
    Bench bench;
    auto const large = fetch_large(bench);
    auto const shape = raw(large);
    bench.hear(Data{shape, Bytes()}, KiB(256));
    CHECK(bench.agent.state().objects.at(large.digest) == ObjectRecord{shape, Bytes(), false});
    bench.hear(Data{shape, KiB(256)}, KiB(256));
    auto const actions = bench.on(ObjectUnwritten{large.digest, {Fault::no_space, "disk full"}});
    CHECK(only<DropObjects>(actions).objects == std::vector{large.digest});
    bench.all_durable();
    bench.idle(61s);
    bench.on(PlanMade{Bench::id(1), Plan{{large}}});
    CHECK(sent<Fetch>(bench.reconnect(1)).at(0).items.at(0).offset == Bytes());
}

TEST_CASE("a damaged object is dropped, file and record, and fetched again after a pause") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_fetching(1);
    auto const segment = Bench::segment(1);
    bench.hear(Data{{segment.digest, ObjectCodec::raw, segment.size, segment.size}, Bytes()}, segment.size);
    bench.on(ObjectFinished{segment.digest, fail(Fault::damaged, "wrong digest")});
    auto const actions = bench.all_durable();
    CHECK(only<DropObjects>(actions).objects == std::vector{segment.digest});
    CHECK(bench.state().phase == Phase::failed);
    REQUIRE(any<MakePlan>(bench.idle(61s)));
    bench.on(PlanMade{Bench::id(1), Plan{{segment}}});
    CHECK(sent<Fetch>(bench.reconnect(1)).at(0).items.at(0).offset == Bytes());
}

TEST_CASE("an object that the broker does not have at that offset is asked for from its beginning the next time") {
    Bench bench;
    auto const large = fetch_large(bench);
    auto const shape = raw(large);
    bench.hear(Data{shape, Bytes()}, MiB(1));
    bench.hear(ObjectMissing{large.digest});
    CHECK(bench.state().phase == Phase::failed);
    bench.all_durable();
    bench.idle(61s);
    bench.on(PlanMade{Bench::id(1), Plan{{large}}});
    auto const fetch = sent<Fetch>(bench.reconnect(1));
    CHECK(fetch.at(0).items.at(0).offset == Bytes());
    // One that is here already may be absent there.
    CHECK_FALSE(any<Persist>(bench.hear(ObjectMissing{Bench::manifest(1)})));
}

TEST_CASE("damage that staging finds is fetched again at once; with nothing to fetch it is a failure") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_fetching(1);
    bench.object_comes(Bench::segment(1).digest, Bytes(50));
    bench.on(StageEnded{Bench::id(1), fail(Fault::damaged, "bad"), {Bench::segment(1)}});
    auto const actions = bench.all_durable();
    CHECK(sent<Fetch>(actions).size() <= 1);
    CHECK(bench.state().phase == Phase::fetching);
    bench.object_comes(Bench::segment(1).digest, Bytes(50));
    bench.on(StageEnded{Bench::id(1), fail(Fault::no_space, "full"), {}});
    CHECK(bench.state().phase == Phase::failed);
}

TEST_CASE("what the installed release cannot give, because it is damaged, is fetched as well") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_fetching(1);
    bench.object_comes(Bench::segment(1).digest, Bytes(50));
    auto const lacking = Bench::segment(7);
    auto const actions = bench.on(
        StageEnded{Bench::id(1), fail(Fault::not_found, "the file it lies in was changed"), {lacking}});
    auto const fetch = sent<Fetch>(actions);
    REQUIRE(fetch.size() == 1);
    REQUIRE(fetch[0].items.size() == 1);
    CHECK(fetch[0].items[0].object == lacking.digest);
    auto const stage = only<StageRelease>(bench.object_comes(lacking.digest, Bytes(50)));
    CHECK(stage.materials.objects.contains(lacking.digest));
    CHECK(stage.materials.objects.contains(Bench::segment(1).digest));
}

TEST_CASE("a plan or tree that ends after its release was given up is passed over") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_fetching(1);
    bench.object_comes(Bench::segment(1).digest, Bytes(50));  // the tree is being built
    bench.on(ObjectUnwritten{Bench::segment(1).digest, {Fault::no_space, "a late report of the disk"}});
    REQUIRE(bench.state().phase == Phase::failed);
    bench.on(StageEnded{Bench::id(1), fail(Fault::damaged, "bad"), {Bench::segment(1)}});
    CHECK(bench.state().phase == Phase::failed);
}

TEST_CASE("a staged tree that has vanished is made again") {
    Bench bench;
    second_staged(bench);
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    bench.all_durable();
    bench.on(SwitchEnded{Bench::id(2), fail(Fault::not_found, "no such tree")});
    bench.all_durable();
    CHECK(bench.state().phase == Phase::announced);
    CHECK(bench.state().active == ReleaseRef{Seq{1}, Bench::version(1)});
}

}  // namespace agent_failures_test
