#include "subscriber/agent/object_transfer.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/subscriber/agent/surroundings.hpp"

namespace object_transfer_test {

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;

namespace {

struct Transfer : Around {
    Transfer() {
        objects.listen({[this](SoftwareName const& name, Moment) { arrived.push_back(name); },
                        [this](SoftwareName const&, ObjectLoss const& loss, Moment) { losses.push_back(loss); }});
        objects.fetcher().want(Bench::id(2), object, Bytes(50));
        objects.send_due(now);
        REQUIRE(sent<Fetch>(effects.take()).size() == 1);
    }
    // All of the object comes in one frame.
    Actions frame() {
        objects.on(Data{{object, ObjectCodec::raw, Bytes(50), Bytes(50)}, Bytes()}, {Bytes(50), {}}, now);
        return effects.take();
    }
    Digest object = Bench::segment(2).digest;
    std::vector<SoftwareName> arrived;
    std::vector<ObjectLoss> losses;
};

}  // namespace

TEST_CASE("an object has arrived when its record is durable, and not before") {
    Transfer transfer;
    CHECK(only<StoreFrame>(transfer.frame()).then == StoreFrame::Then::finish);
    transfer.objects.on(ObjectFinished{transfer.object, {}}, transfer.now);
    CHECK(transfer.arrived.empty());
    all_durable(transfer.effects, transfer.effects.take(), transfer.now);
    CHECK(transfer.arrived == std::vector{software()});
    CHECK(transfer.objects.objects().at(transfer.object).complete);
}

TEST_CASE("an object that the broker does not have, or that is damaged or not written, is lost for its software") {
    Transfer transfer;
    SECTION("absent") {
        transfer.objects.on(ObjectMissing{transfer.object}, transfer.now);
        REQUIRE(transfer.losses.size() == 1);
        CHECK(transfer.losses[0].cause == ObjectLoss::Cause::unavailable);
    }
    SECTION("damaged: record and file are dropped, in this order") {
        transfer.frame();
        transfer.objects.on(ObjectFinished{transfer.object, fail(Fault::damaged, "wrong digest")}, transfer.now);
        REQUIRE(transfer.losses.size() == 1);
        CHECK(transfer.losses[0].cause == ObjectLoss::Cause::unavailable);
        auto const actions = transfer.effects.take();
        CHECK_FALSE(any<DropObjects>(actions));
        auto const then = all_durable(transfer.effects, actions, transfer.now);
        CHECK(only<DropObjects>(then).objects == std::vector{transfer.object});
    }
    SECTION("not written") {
        transfer.frame();
        transfer.objects.on(ObjectUnwritten{transfer.object, {Fault::no_space, "disk full"}}, transfer.now);
        REQUIRE(transfer.losses.size() == 1);
        CHECK(transfer.losses[0].cause == ObjectLoss::Cause::unwritten);
    }
}

TEST_CASE("objects that are not wanted are dropped on demand, once, and not while a release is on its way") {
    using Releases = ObjectTransfer::Releases;
    Transfer transfer;
    transfer.frame();
    transfer.objects.on(ObjectFinished{transfer.object, {}}, transfer.now);
    transfer.objects.fetcher().unwant(software());
    CHECK_FALSE(transfer.effects.take().empty());
    transfer.objects.end_turn(Releases::settled);
    CHECK(transfer.effects.take().empty());
    transfer.objects.collect_garbage();
    transfer.objects.end_turn(Releases::on_their_way);
    CHECK(transfer.effects.take().empty());
    transfer.objects.collect_garbage();
    transfer.objects.end_turn(Releases::settled);
    CHECK(any<Persist>(transfer.effects.take()));
    CHECK(transfer.objects.objects().empty());
}

TEST_CASE("what a release that has failed wanted is spared, until it wants it no more") {
    Transfer transfer;
    transfer.frame();
    transfer.objects.on(ObjectFinished{transfer.object, {}}, transfer.now);
    all_durable(transfer.effects, transfer.effects.take(), transfer.now);
    transfer.objects.spare(software());
    transfer.objects.fetcher().unwant(software());
    auto const collect = [&] {
        transfer.objects.collect_garbage();
        transfer.objects.end_turn(ObjectTransfer::Releases::settled);
        return all_durable(transfer.effects, transfer.effects.take(), transfer.now);
    };
    CHECK_FALSE(any<DropObjects>(collect()));
    transfer.objects.spare_no_more(software());
    CHECK(only<DropObjects>(collect()).objects == std::vector{transfer.object});
}

}  // namespace object_transfer_test
