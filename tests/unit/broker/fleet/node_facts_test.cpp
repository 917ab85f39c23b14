#include "broker/fleet/node_facts.hpp"

#include <catch2/catch.hpp>

#include "orders_fixture.hpp"

namespace node_facts_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;
using namespace std::chrono_literals;

namespace {

Hello hello(std::string machine, std::string boot) {
    Hello hello{node_name("node-0000"), architecture("amd64"), "lull-node", std::move(boot), Epoch{77}, Seq{1}};
    hello.machine = std::move(machine);
    return hello;
}

Hello at(std::int64_t micros) {
    auto told = hello("a", "1");
    told.time = WallTime{micros};
    return told;
}

std::string note_of(NodeFacts const& facts, TimePoint now) {
    std::string all;
    for (auto const& note : facts.notes(peer_key(1), now)) all += note;
    return all;
}

auto const node = peer_key(1);
Moment const noon{TimePoint(1h), WallTime{1'780'000'000'000'000}};
constexpr std::int64_t minute = 60'000'000;

}  // namespace

TEST_CASE("a machine that reboots, or is replaced, is one machine") {
    NodeFacts facts;
    for (auto const* boot : {"1", "2", "3", "4"}) {
        CHECK_FALSE(facts.heard(node, hello("a", boot), noon).note);
        CHECK_FALSE(facts.heard(node, hello("a", boot), noon).second_machine_is_news);
    }
    CHECK_FALSE(facts.heard(node, hello("b", "1"), noon).note);
    CHECK(note_of(facts, noon.point).empty());
}

TEST_CASE("a machine that was put back to a snapshot of its running memory, once, is one machine") {
    NodeFacts facts;
    for (auto const* boot : {"1", "2", "1", "3"}) CHECK_FALSE(facts.heard(node, hello("a", boot), noon).note);
    CHECK(note_of(facts, noon.point).empty());
}

TEST_CASE("two machines that take turns are shown, once in the log, and the later one is told") {
    auto const other = GENERATE(as<std::pair<std::string, std::string>>{}, std::pair{"b", "1"}, std::pair{"a", "2"});
    NodeFacts facts;
    auto const first = [&] { return facts.heard(node, hello("a", "1"), noon); };
    auto const later = [&] { return facts.heard(node, hello(other.first, other.second), noon); };
    first();
    later();
    CHECK_FALSE(first().second_machine_is_news);
    auto const proof = later();
    CHECK(proof.second_machine_is_news);
    REQUIRE(proof.note);
    CHECK(proof.note->find("lull-node join --force") != std::string::npos);
    CHECK(note_of(facts, noon.point).find("two machines") != std::string::npos);
    CHECK_FALSE(first().note);
    auto const again = later();
    CHECK(again.note);
    CHECK_FALSE(again.second_machine_is_news);

    CHECK(note_of(facts, noon.point + 2h).empty());  // they have stopped to take turns
    facts.forget(node);
    CHECK(note_of(facts, noon.point).empty());
}

TEST_CASE("a node that does not say which machine it is, is never taken for two") {
    NodeFacts facts;
    for (auto const* boot : {"1", "2", "1", "2", "1", "2"}) {
        auto old = hello("", boot);
        old.machine.reset();
        CHECK_FALSE(facts.heard(node, old, noon).note);
    }
}

TEST_CASE("a clock that is wrong by more than a minute is shown") {
    NodeFacts facts;
    (void)facts.heard(node, at(noon.wall.micros + minute / 2), noon);
    CHECK_FALSE(facts.clock_ahead(node));
    CHECK(note_of(facts, noon.point).empty());
    (void)facts.heard(node, at(noon.wall.micros - 5 * minute), noon);
    CHECK(facts.clock_ahead(node) == std::chrono::microseconds(-5 * minute));
    CHECK(note_of(facts, noon.point) == "its clock is 5 min behind");
    (void)facts.heard(node, at(0), noon);
    CHECK(note_of(facts, noon.point) == "its clock is 20601 days behind");
    (void)facts.heard(node, at(noon.wall.micros + 5 * 60 * minute), noon);
    CHECK(note_of(facts, noon.point) == "its clock is 5 h ahead");
    (void)facts.heard(node, at(noon.wall.micros), noon);
    CHECK(note_of(facts, noon.point).empty());
}

TEST_CASE("what keeps a node from recording anything is shown until the node says that it is over") {
    NodeFacts facts;
    auto told = hello("a", "1");
    told.trouble = "the disk is read-only";
    (void)facts.heard(node, told, noon);
    REQUIRE(facts.trouble(node) != nullptr);
    CHECK(*facts.trouble(node) == "the disk is read-only");
    CHECK(note_of(facts, noon.point) == "the disk is read-only");
    (void)facts.heard(node, hello("a", "1"), noon);
    CHECK(facts.trouble(node) == nullptr);
}

namespace {

StatusRow only_row(World& world, std::string_view name = "node-0000") {
    Admin question;
    question.verb = AdminVerb::status;
    question.node = node_name(name);
    return only<Answer>(world.from_operator(question), World::at_operator).status.at(0);
}

NodeRow node_row(World& world) {
    Admin question;
    question.verb = AdminVerb::nodes;
    question.node = node_name("node-0000");
    return only<Answer>(world.from_operator(question), World::at_operator).nodes.at(0);
}

Report active(World& world, WallTime since) {
    Report report;
    report.software = software("app");
    report.seq = world.broker.state().release_log.head();
    report.state = NodeState::active;
    report.active = report.seq;
    report.revision = 1;
    report.since = since;
    return report;
}

}  // namespace

TEST_CASE("SINCE is by the broker's clock, however wrong the node's is") {
    World world;
    publish(world, {"1"});
    auto const published = world.now.wall;
    world.pass(10min);
    auto const skew = GENERATE(std::int64_t{-50} * 365 * 24 * 60 * minute, std::int64_t{3} * 60 * minute);
    auto told = hello("a", "1");
    told.time = WallTime{world.now.wall.micros + skew};
    world.from_node(0, told);
    settle(world, world.from_node(0, active(world, WallTime{world.now.wall.micros + skew - 2 * minute})));
    CHECK(only_row(world).since == WallTime{world.now.wall.micros - 2 * minute});
    CHECK(node_row(world).clock_ahead == skew);
    REQUIRE(node_row(world).notes);

    // Its clock was set after the report: what is impossible is not shown.
    world.from_node(0, hello("a", "1"));
    settle(world, world.from_node(0, [&] {
        auto report = active(world, WallTime{skew < 0 ? 5 : world.now.wall.micros + 3 * 60 * minute});
        report.revision = 2;
        return report;
    }()));
    auto const since = only_row(world).since;
    CHECK(since >= published);
    CHECK(since <= world.now.wall);
}

TEST_CASE("a node whose disk cannot be written has that as its reason") {
    World world;
    publish(world, {"1"});
    auto told = hello("a", "1");
    told.trouble = "the disk is read-only";
    world.from_node(0, told);
    CHECK(only_row(world).why == "the disk is read-only");
    CHECK(only_row(world).state == NodeState::undistributed);
    CHECK(node_row(world).notes == std::vector<std::string>{"the disk is read-only"});
    CHECK(only_row(world, "node-0001").why.empty());
}

TEST_CASE("a hold is shown from the moment when it is given, also while nothing waits for it") {
    World world;
    publish(world, {"1"});
    world.hello(0);
    settle(world, world.from_node(0, active(world, world.now.wall)));
    CHECK_FALSE(only_row(world).held);
    settle(world, world.from_operator(give(order(OrderKind::hold), node_name("node-0000"))));
    REQUIRE(only_row(world).held);
    CHECK(only_row(world).held->find("because") != std::string::npos);
    CHECK(only_row(world).state == NodeState::active);
    CHECK(node_row(world).notes.value().at(0).find("app: held by operator") == 0);
    CHECK_FALSE(only_row(world, "node-0001").held);
    settle(world, world.from_operator(take_back(OrderKind::hold, software("app"), node_name("node-0000"))));
    CHECK_FALSE(only_row(world).held);

    auto report = active(world, world.now.wall);
    report.revision = 2;
    report.held = "held by kiosk since noon";
    settle(world, world.from_node(0, report));
    CHECK(only_row(world).held == "held by kiosk since noon");
    CHECK(node_row(world).notes == std::vector<std::string>{"app: held by kiosk since noon"});
}

TEST_CASE("a node that connects to the announcements was seen, whether or not it has anything to say") {
    World world;
    CHECK_FALSE(node_row(world).seen);
    world.on(NodeSubscribed{World::node_key(0)});
    CHECK(node_row(world).seen == world.now.wall);
    world.on(NodeSubscribed{peer_key(4711)});
    CHECK(world.broker.state().last_seen.find(peer_key(4711)) == nullptr);
}

}  // namespace node_facts_test
