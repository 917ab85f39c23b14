#include <catch2/catch.hpp>

#include "broker_fixture.hpp"
#include "schema/wire.hpp"

namespace broker_admin_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

Admin admin(AdminVerb verb) {
    Admin message;
    message.verb = verb;
    return message;
}

Answer ask(World& world, Admin const& message) {
    return only<Answer>(world.from_operator(message), World::at_operator);
}

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
    waiting.holders.assign(limits::holders_per_report,
                           Holder{1, 2, std::string(limits::text, 'u'), std::string(limits::text, 'c'), {}, {}});
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
        world.finish(world.from_node(i, report(NodeState::fetching)));
        world.from_node(i, Credit{KiB(256)});
        world.from_node(i, Fetch{software("app"), Seq{1}, {{digest_of("a"), Bytes()}}});
    }
    auto rows = ask(world, admin(AdminVerb::status)).status;
    CHECK(rows[0].state == NodeState::fetching);
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

TEST_CASE("the list names every release in the order of the log, and which one is the newest of its software") {
    World world;
    world.publish(make_release("zoo", "1", {}));
    world.publish(make_release("app", "1", {}));
    world.publish(make_release("app", "2", {}));
    auto const rows = ask(world, admin(AdminVerb::list)).releases;
    REQUIRE(rows.size() == 3);
    CHECK(rows[0].software == software("zoo"));
    CHECK(rows[0].newest);
    CHECK(rows[1].software == software("app"));
    CHECK(rows[1].version == version("1"));
    CHECK(!rows[1].newest);
    CHECK(rows[2].newest);
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
    auto const failed = world.finish(world.from_operator(new_node("till-1", peer_key(5000))),
                                     fail(Fault::no_space, "disk full"));
    CHECK(only<Refused>(failed, World::at_operator).reason == Refusal::no_space);
    CHECK(world.broker.state().peers.find(peer_key(5000)) == nullptr);
    CHECK(sent<Answer>(world.finish(world.from_operator(new_node("till-1", peer_key(5000)))), World::at_operator)
              .size() == 1);
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
    auto const refused = [&](Admin const& message) {
        return only<Refused>(world.from_operator(message), World::at_operator).reason;
    };
    CHECK(refused(new_node("node-0000", peer_key(5000))) == Refusal::conflict);
    CHECK(refused(new_node("till-1", World::node_key(0))) == Refusal::conflict);
    CHECK(refused(new_node("till-1", world.operator_key)) == Refusal::conflict);
    CHECK(refused(admin(AdminVerb::nodes_new)) == Refusal::invalid);
}

TEST_CASE("pages go on behind the last row that was told, also when nodes are enrolled between them") {
    World world({}, 600);
    world.publish(make_release("app", "1", {}));
    world.publish(make_release("zoo", "1", {}));
    auto question = admin(AdminVerb::status);
    auto const first = ask(world, question);
    world.finish(world.from_operator(new_node("aaa", peer_key(5000))));
    std::map<std::pair<std::string, std::string>, int> rows;
    auto const count = [&](Answer const& answer) {
        for (auto const& row : answer.status) ++rows[{row.software.text(), row.node.text()}];
    };
    count(first);
    for (auto next = first.next; next;) {
        question.cursor = *next;
        auto const answer = ask(world, question);
        count(answer);
        next = answer.next;
    }
    CHECK(rows.size() == 1202);
    for (auto const& [row, times] : rows) CHECK(times == 1);
}

TEST_CASE("cursors rise from page to page, whatever the order in which nodes and software came") {
    World world({}, 1);
    for (int i = 13999; i >= 13000; --i)
        world.finish(world.from_operator(new_node(fmt::format("m{}", i), peer_key(i))));
    for (auto const* name : {"zoo", "app", "mid"}) world.publish(make_release(name, "1", {}));
    std::set<std::pair<std::string, std::string>> rows;
    for (auto const& page : pages(world, admin(AdminVerb::status)))
        for (auto const& row : page.status) rows.emplace(row.software.text(), row.node.text());
    CHECK(rows.size() == 3 * 1001);
    std::set<std::string> names;
    for (auto const& page : pages(world, admin(AdminVerb::nodes)))
        for (auto const& row : page.nodes) names.insert(row.node.text());
    CHECK(names.size() == 1001);
}

TEST_CASE("releases that are published while `list` turns its pages move no other") {
    World world;
    for (int i = 0; i < 700; ++i) world.publish(make_release("mid", fmt::format("{}", i), {}));
    auto question = admin(AdminVerb::list);
    auto const first = ask(world, question);
    REQUIRE(first.next);
    world.publish(make_release("app", "1", {}));
    question.cursor = *first.next;
    auto const second = ask(world, question);
    CHECK_FALSE(second.next);
    std::set<Seq> seqs;
    for (auto const* page : {&first, &second})
        for (auto const& row : page->releases) CHECK(seqs.insert(row.seq).second);
    CHECK(seqs.size() == 701);
}

TEST_CASE("a node that has a release staged and whose turn in the rollout has not come is shown as held") {
    World world({}, 10);
    auto release = make_release("app", "1", {});
    release.info.rollout = Rollout{{1000, all_nodes}, 0, 0};
    auto actions = world.publish(release);
    while (!all<Persist>(actions).empty()) actions = world.finish(actions);
    for (std::size_t i = 0; i < 10; ++i) {
        world.hello(i);
        world.finish(world.from_node(i, report(NodeState::staged)));
    }
    std::size_t held = 0;
    for (auto const& row : ask(world, admin(AdminVerb::status)).status) {
        if (row.state != NodeState::held) continue;
        ++held;
        CHECK(row.why == "its turn in the rollout has not come");
    }
    CHECK(held == 9);

    Admin pause = admin(AdminVerb::order);
    pause.order = Order{};
    pause.order->kind = OrderKind::pause;
    pause.order->software = software("app");
    pause.order->why = "it is late";
    world.finish(world.from_operator(pause));
    for (auto const& row : ask(world, admin(AdminVerb::status)).status) {
        CHECK(row.state == NodeState::held);
        CHECK(row.why == "the release is paused by anna: it is late");
    }
}

TEST_CASE("orders of many nodes are told in pages that miss none") {
    World world({}, 700);
    world.publish(make_release("app", "1", {}));
    auto give = admin(AdminVerb::order);
    give.order = Order{};
    world.finish(world.from_operator(give));
    for (std::size_t i = 0; i < 700; ++i) {
        give.node = node_name(fmt::format("node-{:04}", i));
        world.finish(world.from_operator(give));
    }
    std::set<std::string> nodes;
    std::size_t count = 0;
    for (auto const& page : pages(world, admin(AdminVerb::orders))) {
        for (auto const& row : *page.orders) {
            ++count;
            nodes.insert(row.node ? row.node->text() : "");
        }
    }
    CHECK(count == 701);
    CHECK(nodes.size() == 701);
}

TEST_CASE("a publisher lists the software that its key has signed a release of, and no other") {
    World world;
    world.publish(make_release("app", "1", {}));
    world.publish(make_release("tool", "1", {}), world.other_signing);
    world.publish(make_release("both", "1", {}));
    world.publish(make_release("both", "2", {}), world.other_signing);
    auto const listed = [&](PeerKey const& key, Admin const& question) {
        std::set<std::string> found;
        for (auto const& row : only<Answer>(world.from(50, key, question), 50).releases)
            found.insert(row.software.text() + " " + row.version.text());
        return found;
    };
    using Found = std::set<std::string>;
    auto question = admin(AdminVerb::list);
    CHECK(listed(world.publisher_key, question) == Found{"app 1", "both 1", "both 2"});
    world.on(SessionGone{50});
    CHECK(listed(world.other_publisher_key, question) == Found{"tool 1", "both 1", "both 2"});
    question.software = software("both");
    CHECK(listed(world.other_publisher_key, question) == Found{"both 1", "both 2"});

    for (auto const* const name : {"app", "unknown"}) {
        question.software = software(name);
        auto const refused = only<Refused>(world.from(50, world.other_publisher_key, question), 50);
        CHECK(refused.reason == Refusal::invalid);
        CHECK_THAT(refused.text, Catch::Contains("that your key has signed"));
    }
    CHECK(ask(world, admin(AdminVerb::list)).releases.size() == 4);  // an operator sees all
}

}  // namespace broker_admin_test
