#include <catch2/catch.hpp>

#include "orders_fixture.hpp"

namespace broker_rollout_test {

// Rollouts as the broker advances them, by what nodes report.

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;
using namespace std::chrono_literals;

namespace {

constexpr auto last_place = std::numeric_limits<std::uint64_t>::max();
Rollout const tenth{{1000, all_nodes}, 0, 0};

// Ten nodes that are connected, and a release whose turn in the rollout is the first one's.
struct Fleet {
    explicit Fleet(Rollout const& rollout = tenth, std::size_t nodes = 10) : world({}, nodes) {
        for (std::size_t i = 0; i < nodes; ++i) world.hello(i);
        begun = settle(world, world.publish(rolled_out("1", rollout)));
        line = awaiting_rollout(world, "1");
    }

    [[nodiscard]] Order const* share() const {
        return world.broker.state().orders.for_all().find(OrderKind::share, software("app"), Seq{1});
    }
    [[nodiscard]] Order const* pause() const {
        return world.broker.state().orders.for_all().find(OrderKind::pause, software("app"), Seq{1});
    }
    [[nodiscard]] std::uint64_t place(std::size_t rank) const {
        return place_in_rollout(software("app"), version("1"), node_name(fmt::format("node-{:04}", line.at(rank))));
    }
    Actions report(std::size_t rank, NodeState state, std::string_view why = "") {
        return reports(world, line.at(rank), Seq{1}, state, why);
    }
    Actions second() {
        world.pass(1s);
        return settle(world, world.on(Tick{}));
    }

    World world;
    Actions begun;
    std::vector<std::size_t> line;
};

std::string note(World& world) {
    Admin list;
    list.verb = AdminVerb::list;
    auto const rows = only<Answer>(world.from_operator(list), World::at_operator).releases;
    return rows.back().note.value_or("");
}

}  // namespace

TEST_CASE("the first stage opens with the release, by an order that is announced behind it") {
    Fleet const fleet;
    REQUIRE(fleet.share() != nullptr);
    CHECK(fleet.share()->stage == 0);
    CHECK(fleet.share()->upto == fleet.place(0));
    CHECK(fleet.share()->by == "rollout");
    std::vector<MessageType> types;
    for (auto const& announce : all<Announce>(fleet.begun)) types.push_back(type_of(announce.message));
    CHECK(types == std::vector{MessageType::update, MessageType::orders});
}

TEST_CASE("a release without a rollout is for everybody at once, without any order") {
    World world;
    auto const actions = settle(world, world.publish(make_release("app", "1", {})));
    CHECK(world.broker.state().orders.for_all() == OrderSet());
    for (auto const& announce : all<Announce>(actions)) CHECK(type_of(announce.message) == MessageType::update);
}

TEST_CASE("the next stage opens when those whose turn it is report, and not by the reports of others") {
    Fleet fleet;
    fleet.report(1, NodeState::active);  // by force, say
    fleet.report(0, NodeState::fetching);
    CHECK(fleet.share()->stage == 0);
    auto const actions = fleet.report(0, NodeState::active);
    CHECK(fleet.share()->stage == 1);
    CHECK(fleet.share()->upto == last_place);
    CHECK(announced<Orders>(actions).orders.size() == 1);
    auto const revision = fleet.world.broker.state().orders.for_all().revision;
    fleet.report(2, NodeState::active);
    CHECK(fleet.world.broker.state().orders.for_all().revision == revision);  // there is no stage behind the last
}

TEST_CASE("a report counts for a rollout when it is durable") {
    Fleet fleet;
    Report report;
    report.software = software("app");
    report.seq = Seq{1};
    report.state = NodeState::active;
    report.revision = 1;
    auto const writing = fleet.world.from_node(fleet.line[0], report);
    fleet.second();
    CHECK(fleet.share()->stage == 0);
    settle(fleet.world, writing);
    fleet.second();
    CHECK(fleet.share()->stage == 1);
}

TEST_CASE("a stage lasts its time also where nobody reports anything new") {
    Fleet fleet({{1000, all_nodes}, 600, 0});
    fleet.report(0, NodeState::active);
    fleet.world.pass(9min);
    fleet.second();
    CHECK(fleet.share()->stage == 0);
    fleet.world.pass(1min);
    fleet.second();
    CHECK(fleet.share()->stage == 1);
}

TEST_CASE("nodes that are off, held, in use, or too slow are not waited for") {
    Fleet fleet({{2000, all_nodes}, 0, 0});
    fleet.report(0, NodeState::active);
    CHECK(fleet.share()->stage == 0);
    SECTION("in use") { fleet.report(1, NodeState::waiting); }
    SECTION("held") { fleet.report(1, NodeState::held); }
    SECTION("off") {
        fleet.world.on(SessionGone{World::at_node(fleet.line[1])});
        fleet.world.pass(44min);
        fleet.second();
        CHECK(fleet.share()->stage == 0);
        fleet.world.pass(1min);
        fleet.second();
    }
    SECTION("too slow") {
        for (int i = 0; i < 61; ++i) {  // it goes on talking
            fleet.world.pass(1min);
            fleet.world.from_node(fleet.line[1], Ping{});
            if (i == 58) CHECK(fleet.share()->stage == 0);
            fleet.second();
        }
    }
    CHECK(fleet.share()->stage == 1);
}

TEST_CASE("a failure halts the rollout by a pause that says why, and nothing advances any more") {
    Fleet fleet;
    auto const actions = fleet.report(0, NodeState::rolled_back, "bin/check ended with status 1");
    REQUIRE(fleet.pause() != nullptr);
    CHECK(fleet.pause()->by == "rollout");
    CHECK(fleet.pause()->why == "it failed on 1 of the 1 node whose turn it was, and more than 0 % may not");
    auto const news = announced<Orders>(actions);
    CHECK(news.orders.size() == 2);  // with whose turn it was
    CHECK_THAT(note(fleet.world), Catch::StartsWith("paused by rollout: it failed on 1"));
    auto const revision = fleet.world.broker.state().orders.for_all().revision;
    fleet.report(0, NodeState::active);
    fleet.world.pass(2h);
    fleet.second();
    CHECK(fleet.share()->stage == 0);
    CHECK(fleet.world.broker.state().orders.for_all().revision == revision);
}

TEST_CASE("whoever resumes a rollout that has halted accepts the failures until then, not further ones") {
    Fleet fleet;
    fleet.report(0, NodeState::failed);
    REQUIRE(fleet.pause() != nullptr);
    settle(fleet.world, fleet.world.from_operator(take_back(OrderKind::pause)));
    CHECK(fleet.pause() == nullptr);
    CHECK(fleet.share()->accepted_failures == 1);
    fleet.world.pass(15s);
    fleet.second();
    CHECK(fleet.pause() == nullptr);
    CHECK(fleet.share()->stage == 1);
    CHECK(fleet.share()->accepted_failures == 1);
    fleet.report(4, NodeState::failed);
    CHECK(fleet.pause() != nullptr);
}

TEST_CASE("a pause, or a withdrawal, by an operator stops the rollout; resuming it goes on where it was") {
    Fleet fleet;
    SECTION("pause") {
        settle(fleet.world, fleet.world.from_operator(give(order(OrderKind::pause))));
        CHECK(note(fleet.world) == "paused by anna: because");
        fleet.report(0, NodeState::active);
        CHECK(fleet.share()->stage == 0);
        settle(fleet.world, fleet.world.from_operator(take_back(OrderKind::pause)));
        fleet.world.pass(15s);
        fleet.second();
        CHECK(fleet.share()->stage == 1);
    }
    SECTION("withdraw") {
        settle(fleet.world, fleet.world.from_operator(give(order(OrderKind::withdraw))));
        CHECK(note(fleet.world) == "withdrawn by anna: because");
        fleet.report(0, NodeState::active);
        fleet.world.pass(1h);
        fleet.second();
        CHECK(fleet.share()->stage == 0);
    }
}

TEST_CASE("a rollout that is superseded goes no further, and its orders do not stand") {
    Fleet fleet;
    settle(fleet.world, fleet.world.publish(rolled_out("2", tenth)));
    fleet.report(0, NodeState::active);
    auto const& orders = fleet.world.broker.state().orders.for_all();
    REQUIRE(orders.orders.size() == 1);
    CHECK(orders.orders[0].seq == Seq{2});
    CHECK(orders.orders[0].stage == 0);
    CHECK(orders.orders[0].upto ==
          place_in_rollout(software("app"), version("2"),
                           node_name(fmt::format("node-{:04}", awaiting_rollout(fleet.world, "2").front()))));
}

TEST_CASE("a step that could not be written is tried again later, and only one is on its way") {
    World world({}, 10);
    for (std::size_t i = 0; i < 10; ++i) world.hello(i);
    auto const stored = world.publish(rolled_out("1", tenth));
    REQUIRE(all<Persist>(stored).size() == 1);
    world.pass(20s);
    for (auto const& persist : all<Persist>(world.on(Tick{}))) CHECK(persist.batch.at(0).table != OrderBook::table);
    CHECK(world.broker.state().orders.for_all().orders.empty());
    auto const failed = world.finish(stored, fail(Fault::no_space, "disk full"));
    CHECK(all<Announce>(failed).empty());
    CHECK(world.broker.state().orders.for_all().orders.empty());
    world.pass(20s);
    settle(world, world.on(Tick{}));
    CHECK(world.broker.state().orders.for_all().orders.size() == 1);
}

TEST_CASE("a broker that was started anew goes on with the stage that its orders say") {
    Fleet fleet;
    Broker again(fleet.world.broker.state(), fleet.world.index, {});
    auto now = fleet.world.now;
    Report report;
    report.software = software("app");
    report.seq = Seq{1};
    report.state = NodeState::active;
    report.revision = 1'000'000;
    auto const node = fleet.line[0];
    (void)again.on(MessageArrived{1,
                                  World::node_key(node),
                                  Hello{node_name(fmt::format("node-{:04}", node)), architecture("amd64"), "", "",
                                        Epoch{77}, Seq{1}},
                                  {}},
                   now);
    auto actions = again.on(MessageArrived{1, World::node_key(node), report, {}}, now);
    for (int round = 0; round < 3; ++round) {
        Actions next;
        for (auto const& persist : all<Persist>(actions)) append(next, again.on(BatchDone{persist.ticket, {}}, now));
        now.point += 1s;
        append(next, again.on(Tick{}, now));
        actions = std::move(next);
    }
    CHECK(again.state().orders.for_all().find(OrderKind::share, software("app"), Seq{1})->stage == 1);
}

TEST_CASE("the first node of an empty fleet takes part when it is enrolled") {
    Fleet fleet(tenth, 0);
    REQUIRE(fleet.share() != nullptr);
    CHECK(fleet.share()->upto == 0);
    Admin message;
    message.verb = AdminVerb::nodes_new;
    message.node = node_name("node-0000");
    message.key = World::node_key(0);
    settle(fleet.world, fleet.world.from_operator(message));
    fleet.world.hello(0);
    fleet.world.pass(15s);
    fleet.second();
    fleet.line = awaiting_rollout(fleet.world, "1");
    CHECK(fleet.share()->upto == fleet.place(0));
}

TEST_CASE("the list tells where the rollout of the newest release is") {
    Fleet fleet({{1000, 5000, all_nodes}, 0, 0});
    CHECK(note(fleet.world) == "rollout: stage 1 of 3, 10 % of the nodes");
    fleet.report(0, NodeState::active);
    CHECK(note(fleet.world) == "rollout: stage 2 of 3, 50 % of the nodes");
    publish(fleet.world, {"2"});
    CHECK(note(fleet.world).empty());
}

}  // namespace broker_rollout_test
