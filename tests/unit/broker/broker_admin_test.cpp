#include <catch2/catch.hpp>

#include "broker_fixture.hpp"
#include "schema/wire.hpp"

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

Admin admin(AdminVerb verb) {
    Admin message;
    message.verb = verb;
    return message;
}

Answer ask(World& world, Admin const& message) { return only<Answer>(world.from_operator(message), World::at_operator); }

// All pages of an answer; each must fit into a message.
std::vector<Answer> pages(World& world, Admin message) {
    std::vector<Answer> pages;
    while (true) {
        pages.push_back(ask(world, message));
        REQUIRE(wire::decode_body(MessageType::answer, wire::encode_body(pages.back())));
        if (!pages.back().next) return pages;
        REQUIRE(*pages.back().next > message.cursor);
        message.cursor = *pages.back().next;
    }
}

Report report(NodeState state, std::uint64_t revision = 1, Seq seq = Seq{1}) {
    Report report;
    report.software = software("app");
    report.seq = seq;
    report.state = state;
    report.revision = revision;
    report.since = WallTime{5};
    return report;
}

Admin new_node(std::string_view name, PeerKey const& key) {
    auto message = admin(AdminVerb::nodes_new);
    message.node = node_name(name);
    message.key = key;
    return message;
}

}  // namespace

TEST_CASE("twelve hundred nodes are told in pages that miss nobody") {
    World world({}, 1200);
    world.publish(make_release("app", "1", {}));
    auto const status = pages(world, admin(AdminVerb::status));
    REQUIRE(status.size() == 3);
    CHECK(status[0].status.size() == 500);
    std::set<std::string> names;
    for (auto const& page : status) {
        for (auto const& row : page.status) {
            names.insert(row.node.text());
            CHECK(row.state == NodeState::undistributed);
        }
    }
    CHECK(names.size() == 1200);

    std::size_t count = 0;
    for (auto const& page : pages(world, admin(AdminVerb::nodes))) count += page.nodes.size();
    CHECK(count == 1200);
}

TEST_CASE("pages stay below the size of a message, whatever the rows hold") {
    World world({}, 300);
    world.publish(make_release("app", "1", {}));
    auto waiting = report(NodeState::waiting);
    waiting.why = std::string(limits::text, 'w');
    waiting.holders.assign(limits::holders_per_report, Holder{1, 2, std::string(limits::text, 'u'), std::string(limits::text, 'c'), {}, {}});
    for (std::size_t i = 0; i < 300; ++i) {
        world.hello(i);
        world.finish(world.from_node(i, waiting));
    }
    std::size_t count = 0;
    for (auto const& page : pages(world, admin(AdminVerb::status))) count += page.status.size();
    CHECK(count == 300);
}

TEST_CASE("a cursor behind the end is an empty last page") {
    World world;
    world.publish(make_release("app", "1", {}));
    for (auto const verb : {AdminVerb::status, AdminVerb::list, AdminVerb::nodes}) {
        auto message = admin(verb);
        message.cursor = std::numeric_limits<std::uint64_t>::max();
        auto const answer = ask(world, message);
        CHECK(!answer.next);
        CHECK(answer.status.size() + answer.releases.size() + answer.nodes.size() == 0);
    }
}

TEST_CASE("the table shows what each node said last about the newest release") {
    World world;
    world.publish(make_release("app", "1", {{"a", 100}}));
    world.hello(0);
    auto waiting = report(NodeState::waiting);
    waiting.why = "in use";
    waiting.holders = {Holder{42, 1001, "kiosk", "browser", WallTime{1}, std::nullopt}};
    world.finish(world.from_node(0, waiting));
    world.hello(1);
    auto active = report(NodeState::active);
    active.active = Seq{1};
    world.finish(world.from_node(1, active));

    auto rows = ask(world, admin(AdminVerb::status)).status;
    REQUIRE(rows.size() == 3);
    CHECK(rows[0].state == NodeState::waiting);
    CHECK(rows[0].why == "in use");
    CHECK(rows[0].holders == waiting.holders);
    CHECK(rows[1].state == NodeState::active);
    CHECK(rows[1].active == version("1"));
    CHECK(rows[2].state == NodeState::undistributed);

    // A newer release: what was said about the old one no longer counts, but the old one still runs.
    world.publish(make_release("app", "2", {}));
    rows = ask(world, admin(AdminVerb::status)).status;
    CHECK(rows[0].state == NodeState::undistributed);
    CHECK(rows[0].holders.empty());
    CHECK(rows[1].version == version("2"));
    CHECK(rows[1].active == version("1"));
    CHECK(rows[1].state == NodeState::undistributed);
}

TEST_CASE("the table shows who is queued and how far a download is") {
    World world({.sender = {.transfers = 1}});
    world.publish(make_release("app", "1", {{"a", 1'000'000}}));
    for (std::size_t i = 0; i < 2; ++i) {
        world.hello(i);
        world.finish(world.from_node(i, report(NodeState::downloading)));
        world.from_node(i, Credit{KiB(256)});
        world.from_node(i, Fetch{software("app"), Seq{1}, {{digest_of("a"), Bytes()}}});
    }
    auto rows = ask(world, admin(AdminVerb::status)).status;
    CHECK(rows[0].state == NodeState::downloading);
    CHECK(rows[0].done == KiB(256));
    CHECK(rows[1].state == NodeState::queued);
    CHECK(rows[1].why == "number 1 in the queue: other transfers come first");
}

TEST_CASE("questions may name one software or one node, and unknown ones are refused") {
    World world;
    world.publish(make_release("app", "1", {}));
    world.publish(make_release("other", "1", {}));
    auto message = admin(AdminVerb::status);
    CHECK(ask(world, message).status.size() == 6);
    message.software = software("other");
    CHECK(ask(world, message).status.size() == 3);
    message.node = node_name("node-0001");
    auto const rows = ask(world, message).status;
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].node == node_name("node-0001"));
    CHECK(rows[0].software == software("other"));

    message.node = node_name("nobody");
    CHECK(only<Refused>(world.from_operator(message), World::at_operator).reason == Refusal::invalid);
    message = admin(AdminVerb::list);
    message.software = software("nothing");
    CHECK(only<Refused>(world.from_operator(message), World::at_operator).reason == Refusal::invalid);
}

TEST_CASE("the list names every release by software, and which one is the newest") {
    World world;
    world.publish(make_release("zoo", "1", {}));
    world.publish(make_release("app", "1", {}));
    world.publish(make_release("app", "2", {}));
    auto const rows = ask(world, admin(AdminVerb::list)).releases;
    REQUIRE(rows.size() == 3);
    CHECK(rows[0].software == software("app"));
    CHECK(rows[0].version == version("1"));
    CHECK(!rows[0].newest);
    CHECK(rows[1].newest);
    CHECK(rows[2].software == software("zoo"));
}

TEST_CASE("the nodes are listed with when they were seen and whether they are connected") {
    World world;
    world.hello(1);
    auto const rows = ask(world, admin(AdminVerb::nodes)).nodes;
    REQUIRE(rows.size() == 3);
    CHECK(!rows[0].seen);
    CHECK(!rows[0].connected);
    CHECK(rows[1].seen == world.now.wall);
    CHECK(rows[1].connected);
    CHECK(rows[1].program == "lull-node 0.1.0");
    CHECK(rows[1].key == World::node_key(1));
}

TEST_CASE("a node is enrolled once that is durable, and may then connect") {
    World world;
    auto const key = peer_key(5000);
    auto const writing = world.from_operator(new_node("till-1", key));
    CHECK(all<Send>(writing).empty());
    CHECK(world.broker.state().peers.find(key) == nullptr);
    auto const answer = only<Answer>(world.finish(writing), World::at_operator);
    REQUIRE(answer.nodes.size() == 1);
    CHECK(answer.nodes[0].node == node_name("till-1"));
    CHECK(answer.nodes[0].key == key);
    CHECK(world.broker.state().peers.find(key) != nullptr);

    auto const again = world.finish(world.from_operator(new_node("till-1", key)));
    CHECK(only<Answer>(again, World::at_operator).nodes.size() == 1);
}

TEST_CASE("an enrolment that could not be written leaves the key unknown") {
    World world;
    auto const failed = world.finish(world.from_operator(new_node("till-1", peer_key(5000))), fail(Fault::no_space, "disk full"));
    CHECK(only<Refused>(failed, World::at_operator).reason == Refusal::no_space);
    CHECK(world.broker.state().peers.find(peer_key(5000)) == nullptr);
    CHECK(sent<Answer>(world.finish(world.from_operator(new_node("till-1", peer_key(5000)))), World::at_operator).size() == 1);
}

TEST_CASE("of two enrolments at once of one name, or of one key, the first counts") {
    World world;
    auto const first = world.from_operator(new_node("till-1", peer_key(5000)));
    auto const same_name = world.from_operator(new_node("till-1", peer_key(5001)));
    CHECK(only<Refused>(same_name, World::at_operator).reason == Refusal::conflict);
    CHECK(all<Persist>(same_name).empty());
    auto const same_key = world.from_operator(new_node("till-2", peer_key(5000)));
    CHECK(only<Refused>(same_key, World::at_operator).reason == Refusal::conflict);
    world.finish(first);
    CHECK(world.broker.state().peers.key_of(node_name("till-1")) == peer_key(5000));
    CHECK(!world.broker.state().peers.key_of(node_name("till-2")));
}

TEST_CASE("a name or key that is taken, or a question without them, is refused") {
    World world;
    auto const refused = [&](Admin const& message) { return only<Refused>(world.from_operator(message), World::at_operator).reason; };
    CHECK(refused(new_node("node-0000", peer_key(5000))) == Refusal::conflict);
    CHECK(refused(new_node("till-1", World::node_key(0))) == Refusal::conflict);
    CHECK(refused(new_node("till-1", world.operator_key)) == Refusal::conflict);
    CHECK(refused(admin(AdminVerb::nodes_new)) == Refusal::invalid);
}
