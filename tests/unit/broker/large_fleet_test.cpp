#include <catch2/catch.hpp>

#include "orders_fixture.hpp"

namespace large_fleet_test {

// Work that grows with the fleet is done in slices, of which each event does one.

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;
using namespace std::chrono_literals;

TEST_CASE("a rollout in a large fleet begins when all nodes have ranks, which takes several turns") {
    World world({}, 9000);
    auto actions = settle(world, world.publish(rolled_out("1", {{1000, all_nodes}, 0, 0})));
    auto const turn = [&] {
        return world.broker.state().orders.for_all().find(OrderKind::share, software("app"), Seq{1});
    };
    CHECK(turn() == nullptr);
    int turns = 0;
    while (turn() == nullptr && turns < 10) {
        REQUIRE(world.broker.wake());
        CHECK(*world.broker.wake() == world.now.point);
        settle(world, world.on(TurnDue{}));
        ++turns;
    }
    CHECK(turns == 2);
    std::size_t members = 0;
    for (std::size_t i = 0; i < 9000; ++i) {
        auto const name = node_name(fmt::format("node-{:04}", i));
        if (place_in_rollout(software("app"), version("1"), name) <= *turn()->upto) ++members;
    }
    CHECK(members == 900);
}

TEST_CASE("a broker that is started anew ranks the nodes again, and goes on with the stage") {
    World world({}, 9000);
    settle(world, world.publish(rolled_out("1", {{1000, all_nodes}, 0, 0})));
    while (world.broker.wake()) settle(world, world.on(TurnDue{}));
    auto const upto = world.broker.state().orders.for_all().orders.at(0).upto;
    Broker again(world.broker.state(), world.index, {});
    for (int i = 0; i < 5; ++i) (void)again.on(TurnDue{}, world.now);
    CHECK_FALSE(again.wake());
    CHECK(again.state().orders.for_all().orders.at(0).upto == upto);
}

TEST_CASE("nodes that wait for one patch are answered in portions") {
    World world({}, 5000);
    auto const one = make_release("app", "1", {{"a", 1000}});
    auto const two = make_release("app", "2", {{"b", 2000}});
    world.publish(one);
    world.publish(two);
    PatchId const patch{one.manifest_shape.object, two.manifest_shape.object};
    for (std::size_t i = 0; i < 5000; ++i) {
        world.hello(i);
        world.from_node(i, PatchQuery{software("app"), architecture("amd64"), Seq{1}, Seq{2}});
    }
    auto const offers = [](Actions const& actions) {
        return std::ranges::count_if(all<Send>(actions),
                                     [](Send const& send) { return std::holds_alternative<PatchOffer>(send.message); });
    };
    CHECK(offers(world.on(PatchMade{patch, Effort::quick, fail(Fault::failed, "no")})) == 2000);
    REQUIRE(world.broker.wake());
    CHECK(offers(world.on(TurnDue{})) == 2000);
    CHECK(offers(world.on(TurnDue{})) == 1000);
    CHECK_FALSE(world.broker.wake());
}

TEST_CASE("a long queue is told its places in portions, and each session the right one") {
    World world({.sender = {.transfers = 1, .patience = 1h}}, 1800);
    world.publish(make_release("app", "1", {{"a", 1000}}));
    for (std::size_t i = 0; i < 1800; ++i) {
        world.hello(i);
        world.from_node(i, Fetch{software("app"), Seq{1}, {{digest_of("a"), Bytes()}}});
    }
    std::size_t told = 0;
    for (int tick = 0; tick < 3; ++tick) {
        std::size_t now = 0;
        for (auto const& send : all<Send>(world.on(Tick{}))) {
            auto const* queued = std::get_if<Queued>(&send.message);
            if (queued == nullptr) continue;
            ++now;
            CHECK(send.session == World::at_node(queued->position));
        }
        CHECK(now <= 1000);
        told += now;
        world.pass(1s);
    }
    CHECK(told == 1799);
}

}  // namespace large_fleet_test
