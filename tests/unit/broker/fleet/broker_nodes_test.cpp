#include <catch2/catch.hpp>

#include "broker_fixture.hpp"

namespace broker_nodes_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

Report report(std::uint64_t revision, Seq seq = Seq{1}, NodeState state = NodeState::active) {
    Report report;
    report.software = software("app");
    report.seq = seq;
    report.state = state;
    report.revision = revision;
    return report;
}

LogPage sync(World& world, Epoch epoch, Seq cursor) {
    return only<LogPage>(world.from_node(0, Sync{epoch, cursor}), World::at_node(0));
}

}  // namespace

TEST_CASE("a node that is behind reads the log in pages up to the head") {
    World world;
    std::size_t const count = limits::log_entries_per_message + 7;
    for (std::size_t i = 0; i < count; ++i) world.publish(make_release("app", fmt::format("{}", i), {}));
    world.hello(0);
    auto page = sync(world, Epoch{77}, Seq{});
    CHECK(page.from == Seq{0});
    CHECK(page.entries.size() == limits::log_entries_per_message);
    CHECK(page.head == Seq{count});
    page = sync(world, Epoch{77}, page.entries.back().seq);
    CHECK(page.entries.size() == 7);
    CHECK(page.entries.back().seq == page.head);
    CHECK(sync(world, Epoch{77}, page.head).entries.empty());
}

TEST_CASE("objects are sent within credit, and what is not here is absent") {
    World world;
    auto const release = make_release("app", "1", {{"a", 1'000'000}, {"b", 20}});
    world.publish(release);
    world.hello(0);
    world.from_node(0, Credit{KiB(512)});
    auto const actions = world.from_node(
        0, Fetch{software("app"),
                 Seq{1},
                 {{digest_of("a"), Bytes(100)}, {digest_of("nothing"), Bytes()}, {digest_of("b"), Bytes(20)}}});
    auto const absent = sent<ObjectMissing>(actions, World::at_node(0));
    REQUIRE(absent.size() == 2);
    CHECK(absent[0].object == digest_of("nothing"));
    CHECK(absent[1].object == digest_of("b"));
    auto const frames = all<SendFrame>(actions);
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].session == World::at_node(0));
    CHECK(frames[0].offset == Bytes(100));
    auto const rest = all<SendFrame>(world.from_node(0, Ack{KiB(256)}));
    REQUIRE(rest.size() == 1);
    CHECK(rest[0].offset == Bytes(100) + KiB(256));

    CHECK(all<SendFrame>(world.from_node(0, Ack{KiB(512)})).empty());
    CHECK(all<SendFrame>(world.from_node(0, Credit{KiB(800)})).size() == 1);
    CHECK(all<SendFrame>(world.from_node(0, Credit{MiB(2)})).size() == 1);
}

TEST_CASE("a node beyond the transfers that are served is told its place") {
    World world({.sender = {.transfers = 1}});
    world.publish(make_release("app", "1", {{"a", 1000}}));
    for (std::size_t i = 0; i < 3; ++i) world.hello(i);
    Fetch const fetch{software("app"), Seq{1}, {{digest_of("a"), Bytes()}}};
    CHECK(sent<Queued>(world.from_node(0, fetch), World::at_node(0)).empty());
    CHECK(only<Queued>(world.from_node(1, fetch), World::at_node(1)).position == 1);
    CHECK(only<Queued>(world.from_node(2, fetch), World::at_node(2)).position == 2);

    world.from_node(1, Credit{MiB(1)});
    auto const actions = world.on(SessionGone{World::at_node(0)});
    REQUIRE(all<SendFrame>(actions).size() == 1);
    CHECK(all<SendFrame>(actions)[0].session == World::at_node(1));
}

TEST_CASE("whoever waits is told its place every minute") {
    World world({.sender = {.transfers = 1, .patience = std::chrono::hours(1)}});
    world.publish(make_release("app", "1", {{"a", 1000}}));
    for (std::size_t i = 0; i < 3; ++i) {
        world.hello(i);
        world.from_node(i, Fetch{software("app"), Seq{1}, {{digest_of("a"), Bytes()}}});
    }
    world.on(Tick{});
    world.pass(std::chrono::seconds(59));
    CHECK(sent<Queued>(world.on(Tick{}), World::at_node(1)).empty());
    world.pass(std::chrono::seconds(1));
    auto const actions = world.on(Tick{});
    CHECK(sent<Queued>(actions, World::at_node(0)).empty());
    CHECK(only<Queued>(actions, World::at_node(1)).position == 1);
    CHECK(only<Queued>(actions, World::at_node(2)).position == 2);
}

TEST_CASE("an acknowledgement of bytes that were not sent ends the session") {
    World world;
    world.hello(0);
    auto const actions = world.from_node(0, Ack{Bytes(1)});
    CHECK(only<Refused>(actions, World::at_node(0)).reason == Refusal::invalid);
    CHECK(all<CloseSession>(actions).size() == 1);
    CHECK(!world.broker.connected(World::node_key(0)));
}

TEST_CASE("nothing of a software that is unknown is here") {
    World world;
    world.publish(make_release("app", "1", {{"a", 1000}}));
    world.hello(0);
    auto const actions = world.from_node(0, Fetch{software("other"), Seq{1}, {{digest_of("a"), Bytes()}}});
    CHECK(only<ObjectMissing>(actions, World::at_node(0)).object == digest_of("a"));
}

TEST_CASE("FETCH is refused for too many objects, and beyond what may wait") {
    World world;
    world.publish(make_release("app", "1", {{"a", 1000}}));
    world.hello(0);
    std::vector<FetchItem> const many(limits::objects_per_message + 1, FetchItem{digest_of("a"), Bytes()});
    CHECK(only<Refused>(world.from_node(0, Fetch{software("app"), Seq{1}, many}), World::at_node(0)).reason ==
          Refusal::invalid);

    std::vector<FetchItem> const most(limits::objects_per_message, FetchItem{digest_of("a"), Bytes()});
    Actions last;
    for (std::size_t i = 0; i <= limits::objects_per_session / most.size(); ++i) {
        CHECK(sent<Refused>(last, World::at_node(0)).empty());
        last = world.from_node(0, Fetch{software("app"), Seq{1}, most});
    }
    CHECK(only<Refused>(last, World::at_node(0)).reason == Refusal::invalid);
}

TEST_CASE("a report is noted when it is durable, and not before") {
    World world;
    world.publish(make_release("app", "1", {}));
    world.hello(0);
    auto const first = world.from_node(0, report(3));
    CHECK(sent<ReportAck>(first, World::at_node(0)).empty());
    CHECK(sent<ReportAck>(world.from_node(0, report(3)), World::at_node(0)).empty());  // repeated: still on its way
    CHECK(only<ReportAck>(world.finish(first), World::at_node(0)).revision == 3);

    auto const again = world.from_node(0, report(3));
    CHECK(only<ReportAck>(again, World::at_node(0)).revision == 3);
    CHECK(all<Persist>(again).empty());
    auto const older = world.from_node(0, report(2, Seq{1}, NodeState::failed));
    CHECK(only<ReportAck>(older, World::at_node(0)).revision == 2);
    CHECK(world.broker.state().node_status.find(software("app"), World::node_key(0))->state == NodeState::active);
}

TEST_CASE("a report that could not be written is not noted, and goes in when it is repeated") {
    World world;
    world.publish(make_release("app", "1", {}));
    world.hello(0);
    auto const failed = world.finish(world.from_node(0, report(1)), fail(Fault::no_space, "disk full"));
    CHECK(sent<ReportAck>(failed, World::at_node(0)).empty());
    CHECK(all<Say>(failed).size() == 1);
    CHECK(only<ReportAck>(world.finish(world.from_node(0, report(1))), World::at_node(0)).revision == 1);
}

TEST_CASE("a report about a release of another software, or without numbers, is refused") {
    World world;
    world.publish(make_release("app", "1", {}));
    world.publish(make_release("other", "1", {}));
    world.hello(0);
    for (auto const& bad : {report(1, Seq{0}), report(1, Seq{2}), report(0)}) {
        auto const actions = world.from_node(0, bad);
        CHECK(only<Refused>(actions, World::at_node(0)).reason == Refusal::invalid);
        CHECK(all<Persist>(actions).empty());
    }
}

TEST_CASE("a node that left before its report was durable has reported all the same") {
    World world;
    world.publish(make_release("app", "1", {}));
    world.hello(0);
    auto const writing = world.from_node(0, report(1));
    world.on(SessionGone{World::at_node(0)});
    CHECK(all<Send>(world.finish(writing)).empty());
    CHECK(world.broker.state().node_status.durable_revision(software("app"), World::node_key(0)) == 1);
}

namespace {

// A node that wants bytes over a line, and what it is told about them.
struct Fetching {
    World world;

    explicit Fetching(BrokerSettings settings = {}) : world(std::move(settings)) {
        world.publish(make_release("app", "1", {{"a", 100'000}}));
        world.hello(0);
        world.on(RouteKnown{World::at_node(0), {"a site", "eth0"}});
        world.from_node(0, Credit{MiB(1)});
        world.from_node(0, Fetch{software("app"), Seq{1}, {{digest_of("a"), Bytes()}}});  // nobody answers the probes
    }

    std::vector<Grant> told(Duration time) {
        std::vector<Grant> grants;
        for (auto const end = world.now.point + time; world.now.point < end; world.pass(std::chrono::seconds(1))) {
            for (auto const& grant : sent<Grant>(world.on(Tick{}), World::at_node(0))) grants.push_back(grant);
        }
        return grants;
    }

    // Others send so much for some seconds.
    void others_send(ByteRate rate) {
        constexpr Duration step = std::chrono::milliseconds(20);
        Bytes all;
        for (int i = 0; i < 200; ++i) {
            world.on(LineReading{"eth0", {world.now.point, all, Bytes()}});
            all += flowing(rate, step);
            world.pass(step);
        }
    }
};

}  // namespace

TEST_CASE("a node that is served hears once why its bytes are slow: if they do not come at all it must find out") {
    Fetching node;
    auto const first = node.told(std::chrono::seconds(55));
    REQUIRE(first.size() == 1);
    CHECK(first.front().reason == to_text(Reason::measuring));
    CHECK(first.front().rate > 0);
    CHECK(node.told(std::chrono::seconds(55)).empty());
}

TEST_CASE("a node to which nothing may flow hears so every minute") {
    BrokerSettings settings;
    settings.governor.line.configured = Mbit(10);
    settings.governor.line.progress = settings.governor.path.progress = 0;
    Fetching node(settings);
    node.others_send(Mbit(10));
    auto const first = node.told(std::chrono::seconds(55));
    REQUIRE(first.size() == 1);
    CHECK(first.front().rate == 0);
    CHECK(node.told(std::chrono::seconds(10)).size() == 1);
    CHECK(node.told(std::chrono::seconds(45)).empty());
}

// The writer fails every batch that was submitted before a failure was told: a later report must not be acknowledged
// on top of one that is missing.
TEST_CASE("two reports whose batches fail together are both taken again when they are repeated") {
    World world;
    world.publish(make_release("app", "1", {}));
    world.hello(0);
    auto writing = world.from_node(0, report(1));
    append(writing, world.from_node(0, report(2)));
    auto const failed = world.finish(writing, fail(Fault::no_space, "disk full"));
    CHECK(sent<ReportAck>(failed, World::at_node(0)).empty());
    CHECK(world.broker.state().node_status.durable_revision(software("app"), World::node_key(0)) == 0);
    CHECK(only<ReportAck>(world.finish(world.from_node(0, report(2))), World::at_node(0)).revision == 2);
}

}  // namespace broker_nodes_test
