#include <catch2/catch.hpp>

#include "orders_fixture.hpp"

namespace broker_order_news_test {

// How nodes hear of orders: announced when durable, said again to whoever has missed some.

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

std::optional<NodeName> const first = node_name("node-0000");

// What a node gets that says HELLO with these revisions.
Actions comes(World& world, std::size_t number, std::optional<std::uint64_t> known, std::optional<std::uint64_t> own) {
    return world.from_node(number, Hello{node_name(fmt::format("node-{:04}", number)), architecture("amd64"),
                                         "lull-node 0.1.0", "boot", Epoch{77}, Seq{}, known, own});
}

std::vector<MessageType> types_for(Actions const& actions, SessionId session) {
    std::vector<MessageType> types;
    for (auto const& send : all<Send>(actions)) {
        if (send.session == session) types.push_back(type_of(send.message));
    }
    return types;
}

std::uint64_t revision(World const& world) { return world.broker.state().orders.for_all().revision; }

}  // namespace

TEST_CASE("orders for all are announced as a change of what was before, once they are durable") {
    World world;
    publish(world, {"1"});
    settle(world, world.from_operator(give(order(OrderKind::hold, std::nullopt))));
    auto const before = revision(world);
    world.hello(0);
    auto const writing = world.from_operator(give(order(OrderKind::hold)));
    CHECK(all<Announce>(writing).empty());
    CHECK(all<SetWelcome>(writing).empty());
    CHECK(world.broker.head(world.now.wall).orders == before);

    auto const done = world.finish(writing);
    auto const news = announced<Orders>(done);
    CHECK_FALSE(news.node);
    CHECK(news.revision == revision(world));
    CHECK(news.base == before);
    CHECK(news.changed == software("app"));
    REQUIRE(news.orders.size() == 1);
    CHECK(news.orders[0].software == software("app"));
    CHECK(types_for(done, World::at_node(0)).empty());  // it listens to the announcement
    auto const welcome = all<SetWelcome>(done);
    REQUIRE(welcome.size() == 1);
    CHECK(welcome[0].head.orders == news.revision);
}

TEST_CASE("an order that is taken back leaves an empty change") {
    World world;
    publish(world, {"1"});
    settle(world, world.from_operator(give(order(OrderKind::hold))));
    auto const news = announced<Orders>(settle(world, world.from_operator(take_back(OrderKind::hold))));
    CHECK(news.orders.empty());
    CHECK(news.base);
    CHECK(news.changed == software("app"));
}

TEST_CASE("HEAD says nothing of orders as long as there were none, and their revision from then on") {
    World world;
    publish(world, {"1"});
    CHECK_FALSE(announced<Head>(world.on(Tick{})).orders);
    settle(world, world.from_operator(give(order(OrderKind::hold))));
    settle(world, world.from_operator(take_back(OrderKind::hold)));
    world.pass(std::chrono::minutes(1));
    CHECK(announced<Head>(world.on(Tick{})).orders == revision(world));
}

TEST_CASE("orders for one node go to its topic and its session, and to nobody else") {
    World world;
    publish(world, {"1"});
    world.hello(0);
    world.hello(1);
    auto const done = settle(world, world.from_operator(give(order(OrderKind::hold), first)));
    auto const news = all<Announce>(done);
    REQUIRE(news.size() == 1);
    auto const orders = std::get<Orders>(news[0].message);
    CHECK(orders.node == first);
    CHECK(orders.base == 0);
    CHECK(orders.orders.size() == 1);
    CHECK(only<Orders>(done, World::at_node(0)) == orders);
    CHECK(types_for(done, World::at_node(1)).empty());
    CHECK(all<SetWelcome>(done).empty());  // HEAD is about the orders for all
    CHECK(revision(world) == 0);
}

TEST_CASE("a node that is not connected hears of its own orders when it comes") {
    World world;
    publish(world, {"1"});
    auto const done = settle(world, world.from_operator(give(order(OrderKind::hold), first)));
    CHECK(sent<Orders>(done, World::at_node(0)).empty());
    CHECK(only<Orders>(world.hello(0), World::at_node(0)).node == first);
    CHECK(sent<Orders>(world.hello(1), World::at_node(1)).empty());
}

TEST_CASE("whoever has other revisions is told all orders before WELCOME") {
    World world;
    publish(world, {"1"});
    settle(world, world.from_operator(give(order(OrderKind::hold))));
    settle(world, world.from_operator(give(order(OrderKind::hold, std::nullopt))));
    settle(world, world.from_operator(give(order(OrderKind::hold), first)));
    auto const own = world.broker.state().orders.of(*first)->revision;
    using enum MessageType;
    auto const told = [&](std::optional<std::uint64_t> known, std::optional<std::uint64_t> known_own) {
        return types_for(comes(world, 0, known, known_own), World::at_node(0));
    };
    CHECK(told(revision(world), own) == std::vector{welcome});
    CHECK(told(std::nullopt, std::nullopt) == std::vector{orders, orders, welcome});
    CHECK(told(0, own) == std::vector{orders, welcome});
    CHECK(told(revision(world), 0) == std::vector{orders, welcome});
    CHECK(told(revision(world) + 1, own + 1) == std::vector{orders, orders, welcome});  // a broker that was restored

    auto const both = sent<Orders>(comes(world, 0, 5, 5), World::at_node(0));
    REQUIRE(both.size() == 2);
    CHECK(both[0].orders.size() == 2);
    CHECK_FALSE(both[0].base);
    CHECK_FALSE(both[0].node);
    CHECK(both[0].revision == revision(world));
    CHECK(both[1].node == first);
    CHECK(both[1].revision == own);
}

TEST_CASE("where there are no orders only a node that has some is told so") {
    World world;
    CHECK(sent<Orders>(comes(world, 0, std::nullopt, std::nullopt), World::at_node(0)).empty());
    CHECK(sent<Orders>(comes(world, 0, 0, 0), World::at_node(0)).empty());
    auto const told = sent<Orders>(comes(world, 0, 9, 9), World::at_node(0));
    REQUIRE(told.size() == 2);
    CHECK(told[0].revision == 0);
    CHECK(told[0].orders.empty());
}

TEST_CASE("SYNC brings orders too, before the log") {
    World world;
    publish(world, {"1"});
    settle(world, world.from_operator(give(order(OrderKind::hold))));
    world.hello(0);
    using enum MessageType;
    Sync question{Epoch{77}, Seq{1}};
    CHECK(types_for(world.from_node(0, question), World::at_node(0)) == std::vector{orders, log});
    question.orders = revision(world);
    CHECK(types_for(world.from_node(0, question), World::at_node(0)) == std::vector{log});
    question.epoch = Epoch{78};
    question.orders = 0;
    CHECK(types_for(world.from_node(0, question), World::at_node(0)) == std::vector{orders, snapshot});
}

TEST_CASE("an order that is still on its way to the disk is not told to whoever comes meanwhile") {
    World world;
    publish(world, {"1"});
    auto const writing = world.from_operator(give(order(OrderKind::hold)));
    auto const own = world.from_operator(give(order(OrderKind::hold), first));
    CHECK(sent<Orders>(world.hello(0), World::at_node(0)).empty());
    auto const done = world.finish(writing);
    CHECK(sent<Orders>(done, World::at_node(0)).empty());
    CHECK(only<Orders>(world.finish(done), World::at_node(0)).node == first);
    CHECK(all<Persist>(own).empty());
}

}  // namespace broker_order_news_test
