// What a node has, against what the table says of it.

#include <catch2/catch.hpp>

#include "orders_fixture.hpp"

namespace inventory_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

Report report(std::uint64_t revision, Seq seq, std::string_view name = "app") {
    Report report;
    report.software = software(name);
    report.seq = seq;
    report.state = NodeState::active;
    report.revision = revision;
    report.active = seq;
    return report;
}

InventoryItem item(std::uint64_t revision, Seq seq, std::string_view name = "app") {
    return {software(name), seq, NodeState::active, revision, seq};
}

using Wanted = std::vector<ReportWanted>;

Wanted wanted(World& world, std::optional<std::vector<InventoryItem>> inventory) {
    Hello hello{node_name("node-0000"), architecture("amd64"), "lull-node", "boot", Epoch{77}, Seq{1}};
    hello.inventory = std::move(inventory);
    return only<Welcome>(world.from_node(0, hello), World::at_node(0)).wanted.value_or(Wanted());
}

World& with_row(World& world, std::uint64_t revision, Seq seq) {
    publish(world, {"1", "2"});
    world.hello(0);
    settle(world, world.from_node(0, report(revision, seq)));
    return world;
}

}  // namespace

TEST_CASE("a node whose inventory is what the table says reports nothing again") {
    World world;
    with_row(world, 5, Seq{2});
    CHECK(wanted(world, {{item(5, Seq{2})}}).empty());
    CHECK(wanted(world, std::nullopt).empty());  // an older node
}

TEST_CASE("a node that was put back to an older copy reports again, with revisions above those in the table") {
    World world;
    with_row(world, 5, Seq{2});
    CHECK(wanted(world, {{item(3, Seq{1})}}) == Wanted{{software("app"), 5}});
    settle(world, world.from_node(0, report(4, Seq{1})));  // as it would go on by itself
    CHECK(world.broker.state().node_status.find(software("app"), World::node_key(0))->active == Seq{2});
    settle(world, world.from_node(0, report(6, Seq{1})));
    CHECK(world.broker.state().node_status.find(software("app"), World::node_key(0))->active == Seq{1});
    auto const& counters = world.broker.state().node_status.counters(software("app"));
    CHECK(counters.active_on(Seq{1}) == 1);
    CHECK(counters.active_on(Seq{2}) == 0);
}

TEST_CASE("the same revision with other contents is a difference") {
    World world;
    with_row(world, 5, Seq{2});
    auto const same = item(5, Seq{2});
    auto other = same;
    other.state = NodeState::rolled_back;
    CHECK(wanted(world, {{other}}).size() == 1);
    other = same;
    other.active = Seq{1};
    CHECK(wanted(world, {{other}}).size() == 1);
    other.active.reset();
    CHECK(wanted(world, {{other}}).size() == 1);
}

TEST_CASE("software that only one side knows is a difference, unless the log does not have it") {
    World world;
    with_row(world, 5, Seq{2});
    CHECK(wanted(world, {{}}) == Wanted{{software("app"), 5}});
    settle(world, world.publish(make_release("zoo", "1", {})));
    CHECK(wanted(world, {{item(5, Seq{2}), item(1, Seq{3}, "zoo")}}) == Wanted{{software("zoo"), 0}});
    CHECK(wanted(world, {{item(5, Seq{2}), item(1, Seq{9}, "lost")}}).empty());
}

TEST_CASE("a table that was restored is behind its nodes, and they report again") {
    World world;
    publish(world, {"1", "2"});
    CHECK(wanted(world, {{item(5, Seq{2})}}) == Wanted{{software("app"), 0}});
}

TEST_CASE("what runs on a node is shown also when the log does not have that release any more") {
    World world;
    publish(world, {"1"});
    world.hello(0);
    auto old = report(1, Seq{1});
    old.state = NodeState::held;
    old.active = Seq{900};
    old.active_version = version("0.9");
    settle(world, world.from_node(0, old));
    Admin question;
    question.verb = AdminVerb::status;
    auto const answer = only<Answer>(world.from_operator(question), World::at_operator);
    CHECK(answer.status.at(0).active == version("0.9"));
}

}  // namespace inventory_test
