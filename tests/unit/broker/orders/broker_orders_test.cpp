#include <catch2/catch.hpp>

#include "orders_fixture.hpp"

namespace broker_orders_test {

// What operators order, what is refused, and what a disk that fails makes of it.

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;
using namespace std::chrono_literals;

namespace {

std::vector<OrderRow> standing(World& world, Admin message = list_orders()) {
    auto const answer = only<Answer>(world.from_operator(std::move(message)), World::at_operator);
    REQUIRE(answer.orders);
    return *answer.orders;
}

OrderSet const& for_all(World const& world) { return world.broker.state().orders.for_all(); }

std::optional<NodeName> const first = node_name("node-0000");

}  // namespace

TEST_CASE("an order is answered when it is durable, with who gave it, when, and about which release") {
    World world;
    publish(world, {"1", "2"});
    auto const writing = world.from_operator(give(order(OrderKind::withdraw)));
    CHECK(all<Send>(writing).empty());
    CHECK(for_all(world).orders.empty());
    auto const persists = all<Persist>(writing);
    REQUIRE(persists.size() == 1);
    CHECK(persists[0].batch.at(0).table == OrderBook::table);

    auto const answer = only<Answer>(world.finish(writing), World::at_operator);
    CHECK(answer.verb == AdminVerb::order);
    REQUIRE(answer.orders);
    REQUIRE(answer.orders->size() == 1);
    auto const& row = answer.orders->front();
    CHECK(row.version == version("2"));
    CHECK(row.order.seq == Seq{2});
    CHECK(row.order.by == "anna");
    CHECK(row.order.since == world.now.wall);
    CHECK(row.order.why == "because");
    CHECK_FALSE(row.node);
    CHECK(standing(world) == *answer.orders);
}

TEST_CASE("what an order says of its giver and its time is not believed") {
    World world;
    publish(world, {"1"});
    auto hold = order(OrderKind::hold);
    hold.by = "somebody else";
    hold.since = WallTime{1};
    settle(world, world.from_operator(give(hold)));
    CHECK(for_all(world).orders.at(0).by == "anna");
    CHECK(for_all(world).orders.at(0).since == world.now.wall);
}

TEST_CASE("orders that make no sense are refused, with the reason") {
    World world;
    publish(world, {"1", "2"});
    auto const why = [&](Admin const& message) {
        auto const refused = refusal(world, message);
        CHECK(refused.reason == Refusal::invalid);
        return refused.text;
    };
    CHECK_THAT(why(give(order(OrderKind::force, software("nothing")))), Catch::Contains("no software named 'nothing'"));
    auto superseded = order(OrderKind::force);
    superseded.seq = Seq{1};
    CHECK_THAT(why(give(superseded)), Catch::Contains("superseded by 2"));
    auto unborn = order(OrderKind::force);
    unborn.seq = Seq{3};
    CHECK_FALSE(why(give(unborn)).empty());
    auto share = order(OrderKind::share);
    share.upto = 1;
    CHECK_THAT(why(give(share)), Catch::Contains("said by the release"));
    CHECK_THAT(why(give(order(OrderKind::pause), first)), Catch::Contains("'pause' is for all nodes"));
    CHECK_THAT(why(give(order(OrderKind::withdraw), first)), Catch::Contains("'withdraw' is for all nodes"));
    CHECK_THAT(why(give(share, first)), Catch::Contains("for all nodes"));
    CHECK_THAT(why(give(order(OrderKind::force, std::nullopt))), Catch::Contains("names no release"));
    CHECK_THAT(why(give(order(OrderKind::hold), node_name("nobody"))), Catch::Contains("no node named 'nobody'"));
    auto wordy = order(OrderKind::hold);
    wordy.why = std::string(limits::order_text + 1, 'w');
    CHECK_THAT(why(give(wordy)), Catch::Contains("longer than 256"));
    Admin empty;
    empty.verb = AdminVerb::order;
    CHECK_THAT(why(empty), Catch::Contains("no order"));
    empty.verb = AdminVerb::take_back;
    CHECK_THAT(why(empty), Catch::Contains("no order"));
    CHECK(for_all(world) == OrderSet());
}

TEST_CASE("nobody can force what is withdrawn") {
    World world;
    publish(world, {"1"});
    settle(world, world.from_operator(give(order(OrderKind::withdraw))));
    CHECK_THAT(refusal(world, give(order(OrderKind::force))).text, Catch::Contains("withdrawn"));
    CHECK_THAT(refusal(world, give(order(OrderKind::force), first)).text, Catch::Contains("withdrawn"));
    publish(world, {"2"});
    settle(world, world.from_operator(give(order(OrderKind::force))));
    CHECK(for_all(world).find(OrderKind::force, software("app"), Seq{2}) != nullptr);
}

TEST_CASE("only operators may order") {
    World world;
    publish(world, {"1"});
    CHECK(only<Refused>(world.from_publisher(give(order(OrderKind::hold))), World::at_publisher).reason ==
          Refusal::not_allowed);
    CHECK(only<Refused>(world.from_node(0, give(order(OrderKind::hold))), World::at_node(0)).reason ==
          Refusal::not_allowed);
}

TEST_CASE("holds and pauses can be taken back, the others cannot, and neither can what was not given") {
    World world;
    publish(world, {"1"});
    settle(world, world.from_operator(give(order(OrderKind::hold, std::nullopt))));
    settle(world, world.from_operator(give(order(OrderKind::hold), first)));
    settle(world, world.from_operator(give(order(OrderKind::force))));
    CHECK_THAT(refusal(world, take_back(OrderKind::hold)).text, Catch::Contains("there is no hold of app"));
    CHECK_THAT(refusal(world, take_back(OrderKind::hold, std::nullopt, first)).text,
               Catch::Contains("no hold of all software on 'node-0000'"));
    CHECK_THAT(refusal(world, take_back(OrderKind::pause)).text, Catch::Contains("there is no pause"));
    for (auto const kind : {OrderKind::force, OrderKind::withdraw, OrderKind::share}) {
        CHECK_THAT(refusal(world, take_back(kind)).text, Catch::Contains("cannot be taken back"));
    }
    auto const answer = only<Answer>(
        settle(world, world.from_operator(take_back(OrderKind::hold, software("app"), first))), World::at_operator);
    CHECK(answer.verb == AdminVerb::take_back);
    CHECK(answer.orders->at(0).node == first);
    CHECK(standing(world).size() == 2);
    settle(world, world.from_operator(take_back(OrderKind::hold, std::nullopt)));
    REQUIRE(standing(world).size() == 1);
    CHECK(standing(world).at(0).order.kind == OrderKind::force);
}

TEST_CASE("a failed write refuses the order and changes nothing, and the next one is tried anew") {
    World world;
    publish(world, {"1"});
    auto const failed = world.finish(world.from_operator(give(order(OrderKind::hold))),
                                     fail(Fault::no_space, "disk full"));
    auto const refused = only<Refused>(failed, World::at_operator);
    CHECK(refused.reason == Refusal::no_space);
    CHECK_THAT(refused.text, Catch::Contains("disk full"));
    CHECK(all<Announce>(failed).empty());
    CHECK(all<SetWelcome>(failed).empty());
    CHECK(for_all(world) == OrderSet());
    settle(world, world.from_operator(give(order(OrderKind::hold))));
    CHECK(standing(world).size() == 1);
}

TEST_CASE("changes are made one after the other, each upon what the one before has made durable") {
    World world;
    publish(world, {"1"});
    auto const one = world.from_operator(give(order(OrderKind::hold)));
    auto const two = world.from_operator(give(order(OrderKind::pause)));
    auto const three = world.from_operator(give(order(OrderKind::hold, std::nullopt), first));
    CHECK(all<Persist>(one).size() == 1);
    CHECK(all<Persist>(two).empty());
    CHECK(all<Persist>(three).empty());
    SECTION("all are written") {
        auto const after_one = world.finish(one);
        CHECK(for_all(world).orders.size() == 1);
        auto const after_two = world.finish(after_one);
        CHECK(for_all(world).orders.size() == 2);
        CHECK(sent<Answer>(world.finish(after_two), World::at_operator).size() == 1);
        CHECK(world.broker.state().orders.of(*first)->orders.size() == 1);
    }
    SECTION("one that fails holds up none behind it, and is in none of them") {
        auto const after_one = world.finish(one, fail(Fault::no_space, "disk full"));
        world.finish(world.finish(after_one));
        REQUIRE(for_all(world).orders.size() == 1);
        CHECK(for_all(world).orders[0].kind == OrderKind::pause);
        CHECK(world.broker.state().orders.of(*first) != nullptr);
    }
}

TEST_CASE("each change has a higher revision, whatever the clock says") {
    World world;
    publish(world, {"1"});
    settle(world, world.from_operator(give(order(OrderKind::hold))));
    auto const before = for_all(world).revision;
    CHECK(before == static_cast<std::uint64_t>(world.now.wall.micros));
    settle(world, world.from_operator(take_back(OrderKind::hold)));
    CHECK(for_all(world).revision == before + 1);
    world.now.wall.micros = -5;
    settle(world, world.from_operator(give(order(OrderKind::hold))));
    CHECK(for_all(world).revision == before + 2);
}

TEST_CASE(
    "orders about releases that are superseded, and holds that are over, do not stand and are dropped with the next "
    "change") {
    World world;
    publish(world, {"1"});
    settle(world, world.from_operator(give(order(OrderKind::withdraw))));
    auto hold = order(OrderKind::hold);
    hold.until = WallTime{world.now.wall.micros + 1'000'000};
    settle(world, world.from_operator(give(hold)));
    CHECK(standing(world).size() == 2);
    publish(world, {"2"});
    CHECK(standing(world).size() == 1);
    world.pass(2s);
    CHECK(standing(world).empty());
    CHECK(for_all(world).orders.size() == 2);
    settle(world, world.from_operator(give(order(OrderKind::force))));
    REQUIRE(for_all(world).orders.size() == 1);
    CHECK(for_all(world).orders[0].kind == OrderKind::force);
}

TEST_CASE("the orders of one software, or those that concern one node, can be asked for") {
    World world;
    publish(world, {"1"});
    settle(world, world.publish(make_release("other", "1", {})));
    settle(world, world.from_operator(give(order(OrderKind::hold))));
    settle(world, world.from_operator(give(order(OrderKind::hold, software("other")))));
    settle(world, world.from_operator(give(order(OrderKind::hold, std::nullopt), first)));
    settle(world, world.from_operator(give(order(OrderKind::hold), node_name("node-0001"))));
    CHECK(standing(world).size() == 4);
    auto message = list_orders();
    message.software = software("app");
    CHECK(standing(world, message).size() == 3);  // with the hold of all software
    message.software.reset();
    message.node = first;
    auto const rows = standing(world, message);
    REQUIRE(rows.size() == 3);
    CHECK(rows[2].node == first);
}

TEST_CASE("many orders are told in pages that miss none") {
    World world({}, 700);
    publish(world, {"1"});
    for (std::size_t i = 0; i < 700; ++i)
        settle(world, world.from_operator(give(order(OrderKind::hold), node_name(fmt::format("node-{:04}", i)))));
    std::set<std::string> names;
    auto message = list_orders();
    std::size_t count = 0;
    while (true) {
        ++count;
        auto const answer = only<Answer>(world.from_operator(message), World::at_operator);
        for (auto const& row : *answer.orders) names.insert(row.node->text());
        if (!answer.next) break;
        message.cursor = *answer.next;
    }
    CHECK(names.size() == 700);
    CHECK(count == 2);
}

namespace {

// A broker whose set of orders for all nodes has room for no further one. Its orders are about software that is not in
// the log any more.
BrokerState full_of_orders(World const& world) {
    auto state = world.broker.state();
    OrderSet set;
    set.revision = 1;
    for (std::size_t i = 0; i < limits::orders_per_set; ++i)
        set.put(order(OrderKind::hold, software(fmt::format("gone-{}", i))));
    for (auto& each : set.orders) each.why.clear();
    state.orders.adopt(std::nullopt, std::move(set));
    return state;
}

}  // namespace

TEST_CASE("where there are too many orders a further one is refused, and what waits behind it is not held up") {
    World small;
    publish(small, {"1"});
    Broker broker(full_of_orders(small), small.index, {});
    auto const ask = [&](Admin message) {
        return broker.on(MessageArrived{World::at_operator, small.operator_key, std::move(message), {}}, small.now);
    };
    auto const refused = only<Refused>(ask(give(order(OrderKind::hold))), World::at_operator);
    CHECK_THAT(refused.text, Catch::Contains("too many orders"));
    CHECK(broker.state().orders.for_all().revision == 1);

    auto const first_one = ask(give(order(OrderKind::hold), first));  // another set
    ask(give(order(OrderKind::hold)));                                // is refused when its turn comes
    ask(give(order(OrderKind::hold), node_name("node-0001")));
    auto const persists = all<Persist>(first_one);
    REQUIRE(persists.size() == 1);
    auto const next = broker.on(BatchDone{persists[0].ticket, {}}, small.now);
    CHECK(sent<Refused>(next, World::at_operator).size() == 1);
    CHECK(all<Persist>(next).size() == 1);
}

TEST_CASE(
    "a hold that has ended is taken out of what the nodes are told within two minutes, whatever their clocks say") {
    World world;
    publish(world, {"1"});
    auto hold = order(OrderKind::hold);
    hold.until = WallTime{world.now.wall.micros + 1'000'000};
    settle(world, world.from_operator(give(hold)));
    REQUIRE(for_all(world).orders.size() == 1);
    world.pass(2min);
    auto const told = all<Announce>(settle(world, world.on(Tick{})));
    CHECK(for_all(world).orders.empty());
    CHECK(std::ranges::any_of(told, [](Announce const& announce) {
        auto const* orders = std::get_if<Orders>(&announce.message);
        return orders != nullptr && orders->orders.empty();
    }));
}

TEST_CASE("what one node is ordered is announced as a change of what it was told before") {
    World world;
    publish(world, {"1"});
    auto const ordered = [&](Admin const& message) {
        std::vector<Orders> told;
        for (auto const& announce : all<Announce>(settle(world, world.from_operator(message)))) {
            if (auto const* orders = std::get_if<Orders>(&announce.message)) told.push_back(*orders);
        }
        REQUIRE(told.size() == 1);
        return told.front();
    };
    auto const held = ordered(give(order(OrderKind::hold), first));
    CHECK(held.base == 0);
    auto const let_go = ordered(take_back(OrderKind::hold, software("app"), first));
    CHECK(let_go.base == held.revision);
    CHECK(let_go.orders.empty());
}

}  // namespace broker_orders_test
