#include "broker/fleet/removal.hpp"

#include <catch2/catch.hpp>

#include "orders_fixture.hpp"

namespace removal_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;
using namespace std::chrono_literals;

namespace {

Admin removal_of(std::vector<std::string_view> const& names) {
    Admin message;
    message.verb = AdminVerb::nodes_remove;
    message.nodes.emplace();
    for (auto const name : names) message.nodes->push_back(node_name(name));
    return message;
}

Admin enrol(std::string_view name, PeerKey const& key) {
    Admin message;
    message.verb = AdminVerb::nodes_new;
    message.node = node_name(name);
    message.key = key;
    return message;
}

Admin ask(AdminVerb verb) {
    Admin message;
    message.verb = verb;
    return message;
}

Report report(Seq seq, NodeState state = NodeState::active) {
    Report report;
    report.software = software("app");
    report.seq = seq;
    report.state = state;
    report.revision = 1;
    if (state == NodeState::active) report.active = seq;
    return report;
}

// Three nodes, of which the first two have the release.
void two_have_it(World& world) {
    publish(world, {"1"});
    for (std::size_t i = 0; i < 2; ++i) {
        world.hello(i);
        settle(world, world.from_node(i, report(Seq{1})));
    }
}

std::size_t rows(World& world, AdminVerb verb) {
    auto const answer = only<Answer>(world.from_operator(ask(verb)), World::at_operator);
    return answer.status.size() + answer.nodes.size();
}

}  // namespace

TEST_CASE("a removed node is gone from every table and count, and its session ends with a reason") {
    World world;
    two_have_it(world);
    auto const actions = world.from_operator(removal_of({"node-0000"}));
    CHECK(only<Refused>(actions, World::at_node(0)).text.find("lull nodes new") != std::string::npos);
    CHECK(all<CloseSession>(actions).size() == 1);
    REQUIRE(all<CloseConnections>(actions).size() == 1);
    CHECK(all<CloseConnections>(actions)[0].peer == World::node_key(0));
    CHECK(sent<Answer>(actions, World::at_operator).empty());  // it is not durable yet
    CHECK(sent<Answer>(settle(world, actions), World::at_operator).size() == 1);

    CHECK(rows(world, AdminVerb::nodes) == 2);
    CHECK(rows(world, AdminVerb::status) == 2);
    CHECK(world.broker.state().node_status.counters(software("app")).active_on(Seq{1}) == 1);
    CHECK(world.broker.state().peers.find(World::node_key(0)) == nullptr);
    CHECK(world.broker.state().last_seen.find(World::node_key(0)) == nullptr);
}

TEST_CASE("from the request on no message of a removed node is taken, whatever becomes of its batch") {
    World world;
    two_have_it(world);
    auto const removal = world.from_operator(removal_of({"node-0000"}));
    auto const before = world.from_node(0, report(Seq{1}, NodeState::failed));
    CHECK(only<Refused>(before, World::at_node(0)).reason == Refusal::not_allowed);
    CHECK(all<Persist>(before).empty());
    settle(world, removal);
    auto const after = world.hello(0);
    CHECK(only<Refused>(after, World::at_node(0)).reason == Refusal::not_allowed);
    CHECK(sent<Welcome>(after, World::at_node(0)).empty());
}

TEST_CASE("what is on the disk of a removed node is deleted in the batch that removes its key") {
    World world;
    two_have_it(world);
    settle(world, world.from_operator(give(order(OrderKind::hold), node_name("node-0000"))));
    auto const batch = all<Persist>(world.from_operator(removal_of({"node-0000"}))).at(0).batch;
    std::set<std::string_view> tables;
    for (auto const& change : batch) {
        CHECK_FALSE(change.value);
        tables.insert(change.table);
    }
    CHECK(tables == std::set<std::string_view>{"peers", "seen", "ledger", "orders"});
}

TEST_CASE("one unknown name, and none of the nodes is removed") {
    World world;
    auto const actions = world.from_operator(removal_of({"node-0000", "nobody", "node-0001"}));
    auto const refused = only<Refused>(actions, World::at_operator);
    CHECK(refused.reason == Refusal::invalid);
    CHECK(refused.text.find("'nobody'") != std::string::npos);
    CHECK(all<Persist>(actions).empty());
    CHECK(rows(world, AdminVerb::nodes) == 3);
    CHECK(only<Refused>(world.from_operator(removal_of({})), World::at_operator).reason == Refusal::invalid);
}

TEST_CASE("several nodes are removed in one batch, a name that stands twice as well") {
    World world;
    auto const actions = world.from_operator(removal_of({"node-0000", "node-0002", "node-0000"}));
    CHECK(all<Persist>(actions).size() == 1);
    settle(world, actions);
    CHECK(rows(world, AdminVerb::nodes) == 1);
}

TEST_CASE("a removal that cannot be written leaves the node as it was") {
    World world;
    two_have_it(world);
    auto const actions = world.from_operator(removal_of({"node-0000"}));
    auto const failed = world.finish(actions, fail(Fault::no_space, "disk full"));
    CHECK(only<Refused>(failed, World::at_operator).reason == Refusal::no_space);
    CHECK(rows(world, AdminVerb::nodes) == 3);
    CHECK(world.broker.state().node_status.counters(software("app")).active_on(Seq{1}) == 2);
    CHECK(sent<Welcome>(world.hello(0), World::at_node(0)).size() == 1);
}

TEST_CASE("the name of a removed node can be enrolled with a new key, and nothing of the old one is left") {
    World world;
    two_have_it(world);
    auto const early = world.from_operator(enrol("node-0000", peer_key(77)));
    CHECK(only<Refused>(early, World::at_operator).text.find("lull nodes remove node-0000") != std::string::npos);
    settle(world, world.from_operator(removal_of({"node-0000"})));
    settle(world, world.from_operator(enrol("node-0000", peer_key(77))));
    CHECK(rows(world, AdminVerb::nodes) == 3);
    auto question = ask(AdminVerb::status);
    question.node = node_name("node-0000");
    auto const answer = only<Answer>(world.from_operator(question), World::at_operator);
    REQUIRE(answer.status.size() == 1);
    CHECK(answer.status[0].state == NodeState::undistributed);
    CHECK(only<Refused>(world.hello(0), World::at_node(0)).reason == Refusal::not_allowed);  // the old key
    auto const joined = world.from(7, peer_key(77),
                                   Hello{node_name("node-0000"), architecture("amd64"), "", "", Epoch{77}, Seq{1}});
    CHECK(sent<Welcome>(joined, 7).size() == 1);
}

TEST_CASE("a rollout that waits for a node goes on when the node is removed") {
    World world({.away = 1000h}, 3);
    settle(world, world.publish(rolled_out("1", {{6600, all_nodes}, 0, std::nullopt})));
    world.pass(1s);
    settle(world, world.on(Tick{}));
    std::vector<std::size_t> members;
    auto const turn = *world.broker.state().orders.for_all().find(OrderKind::share, software("app"), Seq{1});
    for (std::size_t i = 0; i < 3; ++i) {
        auto const name = node_name(fmt::format("node-{:04}", i));
        if (place_in_rollout(software("app"), version("1"), name) <= *turn.upto) members.push_back(i);
    }
    REQUIRE(members.size() == 2);
    for (auto const member : members) world.hello(member);
    settle(world, world.from_node(members[0], report(Seq{1})));
    world.pass(1s);
    settle(world, world.on(Tick{}));
    auto const stage = [&] {
        return *world.broker.state().orders.for_all().find(OrderKind::share, software("app"), Seq{1})->stage;
    };
    CHECK(stage() == 0);
    settle(world, world.from_operator(removal_of({fmt::format("node-{:04}", members[1])})));
    world.pass(1s);
    settle(world, world.on(Tick{}));
    CHECK(stage() == 1);
}

TEST_CASE("whoever follows a release is told when a removal completes it") {
    World world;
    two_have_it(world);
    auto const followed = only<ReleaseProgress>(world.from_publisher(Follow{software("app"), std::nullopt}),
                                                World::at_publisher);
    CHECK(followed.all() == 3);
    CHECK(followed.in(NodeState::active) == 2);
    settle(world, world.from_operator(removal_of({"node-0002"})));
    world.pass(1s);
    auto const told = only<ReleaseProgress>(world.on(Tick{}), World::at_publisher);
    CHECK(told.all() == 2);
    CHECK(told.in(NodeState::active) == 2);
}

TEST_CASE("an order to a node that is removed meanwhile is refused") {
    World world;
    auto const hold = world.from_operator(give(order(OrderKind::hold, std::nullopt)));  // is on its way to the disk
    auto const waiting = world.from_operator(give(order(OrderKind::hold, std::nullopt), node_name("node-0000")));
    CHECK(all<Persist>(waiting).empty());
    auto const removal = world.from_operator(removal_of({"node-0000"}));
    auto const after = world.finish(hold);
    CHECK(sent<Refused>(after, World::at_operator).size() == 1);
    settle(world, removal);
    CHECK(world.broker.state().orders.of(node_name("node-0000")) == nullptr);
}

}  // namespace removal_test
