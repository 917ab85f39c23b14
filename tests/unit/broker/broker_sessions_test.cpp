#include <catch2/catch.hpp>

#include "broker_fixture.hpp"
#include "schema/roles.hpp"

namespace broker_sessions_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

Report first_report() {
    Report report;
    report.software = software("app");
    report.seq = Seq{1};
    report.revision = 1;
    return report;
}

Admin admin(AdminVerb verb) {
    Admin message;
    message.verb = verb;
    return message;
}

// A message of every type that can be sent; ADMIN with the verb that most roles may send.
std::vector<Message> one_of_each() {
    auto const release = make_release("app", "1", {});
    return {Update{},
            Head{},
            release.offer,
            Need{},
            Put{release.manifest_shape, Bytes()},
            Committed{},
            Refused{},
            Hello{node_name("node-0000"), architecture("amd64"), "lull-node", "boot", Epoch{77}, Seq{}},
            Welcome{},
            Busy{},
            Sync{Epoch{77}, Seq{}},
            LogPage{},
            Snapshot{},
            Witness{},
            Fetch{software("app"), Seq{1}, {}},
            Queued{},
            Data{},
            Ack{},
            Credit{},
            ObjectMissing{},
            PatchQuery{software("app"), architecture("amd64"), Seq{1}, Seq{2}},
            PatchOffer{},
            Grant{},
            first_report(),
            ReportAck{},
            Orders{},
            Ping{},
            Pong{},
            admin(AdminVerb::list),
            Answer{},
            Follow{software("app"), std::nullopt},
            ReleaseProgress{},
            Serve{},
            CallOpen{},
            Call{},
            CallOffer{},
            CallReady{},
            CallGo{},
            CallState{},
            CallData{},
            CallCredit{},
            CallCancel{}};
}

bool refused_for(Actions const& actions, SessionId session, Refusal reason) {
    auto const refusals = sent<Refused>(actions, session);
    return refusals.size() == 1 && refusals[0].reason == reason;
}

}  // namespace

TEST_CASE("each message is taken from the roles that may send it and refused from all others") {
    REQUIRE(one_of_each().size() == std::variant_size_v<AnyMessage>);
    for (auto const role : {Role::node, Role::publisher, Role::operator_}) {
        for (auto const& message : one_of_each()) {
            World world;
            world.publish(make_release("app", "0", {}));
            auto const key = role == Role::node        ? World::node_key(0)
                             : role == Role::publisher ? world.publisher_key
                                                       : world.operator_key;
            auto const type = type_of(message);
            INFO(to_text(role) << " " << to_text(type));
            auto const actions = world.from(50, key, message, bytes_of(10));
            if (type == MessageType::pong) {
                CHECK(sent<Refused>(actions, 50).empty());
            } else {
                CHECK(refused_for(actions, 50, Refusal::not_allowed) == !may_send(role, type));
            }
            if (type == MessageType::update)
                CHECK(sent<Refused>(actions, 50).size() == 1);  // it belongs on another port
            for (auto const& send : all<Send>(actions)) CHECK(send.session == 50);
        }
    }
}

TEST_CASE("each verb of ADMIN is taken from the roles that may send it and refused from all others") {
    for (auto const role : {Role::node, Role::publisher, Role::operator_}) {
        for (unsigned number = 0; number <= static_cast<unsigned>(enum_last(AdminVerb{})); ++number) {
            World world;
            auto const key = role == Role::node        ? World::node_key(0)
                             : role == Role::publisher ? world.publisher_key
                                                       : world.operator_key;
            auto const verb = static_cast<AdminVerb>(number);
            INFO(to_text(role) << " " << number);
            auto const actions = world.from(50, key, admin(verb));
            CHECK(refused_for(actions, 50, Refusal::not_allowed) == !may_ask(role, verb));
            if (!may_ask(role, verb)) CHECK(all<Persist>(actions).empty());
        }
    }
}

TEST_CASE("a key that is not enrolled may send nothing") {
    World world;
    for (auto const& message : one_of_each()) {
        if (std::holds_alternative<Pong>(message)) continue;
        auto const actions = world.from(50, peer_key(999), message);
        CHECK(refused_for(actions, 50, Refusal::not_allowed));
        CHECK(all<Persist>(actions).empty());
    }
}

TEST_CASE("a session that came to nothing is forgotten by the shell, too") {
    World world;
    auto const closes = [](Actions const& actions) { return all<CloseSession>(actions).size() == 1; };
    CHECK(closes(world.from(50, peer_key(999), Ping{})));
    CHECK(closes(world.from(51, World::node_key(0), Admin{})));
    CHECK(closes(world.from(52, World::node_key(0), Sync{})));
    CHECK(closes(world.from(53, World::node_key(0), Pong{})));
    CHECK(closes(world.on(MalformedMessage{54, World::node_key(0), {Fault::damaged, "?"}})));

    world.hello(0);
    CHECK(!closes(world.from_node(0, Admin{})));
    CHECK(!closes(world.on(MalformedMessage{World::at_node(0), World::node_key(0), {Fault::damaged, "?"}})));
}

TEST_CASE("HELLO is answered with the head of the log") {
    World world;
    world.publish(make_release("app", "1", {}));
    auto const welcome = only<Welcome>(world.hello(0), World::at_node(0));
    CHECK(welcome.epoch == Epoch{77});
    CHECK(welcome.head == Seq{1});
    CHECK(welcome.time == world.now.wall);
    CHECK(world.broker.connected(World::node_key(0)));
}

TEST_CASE("a message before HELLO asks the node to begin anew") {
    World world;
    CHECK(refused_for(world.from_node(0, Sync{Epoch{77}, Seq{}}), World::at_node(0), Refusal::no_session));
    CHECK(refused_for(world.from_node(0, Fetch{}), World::at_node(0), Refusal::no_session));
    CHECK(refused_for(world.from_node(0, first_report()), World::at_node(0), Refusal::no_session));
    CHECK(refused_for(world.from_node(0, Ping{}), World::at_node(0), Refusal::no_session));
    CHECK(refused_for(world.from_publisher(Put{}), World::at_publisher, Refusal::no_session));
    world.hello(0);
    CHECK(sent<Refused>(world.from_node(0, Sync{Epoch{77}, Seq{}}), World::at_node(0)).empty());
}

TEST_CASE("a new session of a node replaces its older one") {
    World world;
    world.hello(0);
    auto const actions = world.from(
        500, World::node_key(0),
        Hello{node_name("node-0000"), architecture("amd64"), "lull-node", "boot-2", Epoch{}, Seq{}});
    REQUIRE(all<CloseSession>(actions).size() == 1);
    CHECK(all<CloseSession>(actions)[0].session == World::at_node(0));
    CHECK(sent<Welcome>(actions, 500).size() == 1);

    // The end of the old connection is noticed later, and must not end the new session.
    world.on(SessionGone{World::at_node(0)});
    CHECK(world.broker.connected(World::node_key(0)));
    world.on(SessionGone{500});
    CHECK(!world.broker.connected(World::node_key(0)));
}

TEST_CASE("PING is answered with its number") {
    World world;
    world.hello(0);
    CHECK(only<Pong>(world.from_node(0, Ping{42}), World::at_node(0)).nonce == 42);
}

TEST_CASE("whoever is silent is asked, and dropped if nothing comes") {
    World world;
    world.hello(0);
    world.hello(1);
    world.pass(std::chrono::seconds(29));
    CHECK(sent<Ping>(world.on(Tick{}), World::at_node(0)).empty());
    world.pass(std::chrono::seconds(2));
    CHECK(sent<Ping>(world.on(Tick{}), World::at_node(0)).size() == 1);
    CHECK(sent<Ping>(world.on(Tick{}), World::at_node(0)).empty());
    for (int i = 0; i < 3; ++i) {
        world.from_node(0, Pong{});
        world.pass(std::chrono::seconds(100));
        world.on(Tick{});
    }
    CHECK(world.broker.connected(World::node_key(0)));
    CHECK(!world.broker.connected(World::node_key(1)));
    world.pass(std::chrono::seconds(181));
    auto const closed = all<CloseSession>(world.on(Tick{}));
    REQUIRE(closed.size() == 1);
    CHECK(closed[0].session == World::at_node(0));
}

TEST_CASE("a publisher in the middle of its upload is asked sooner") {
    World world;
    world.from_publisher(make_release("app", "1", {{"a", 10}}).offer);
    world.pass(std::chrono::seconds(6));
    CHECK(sent<Ping>(world.on(Tick{}), World::at_publisher).size() == 1);
}

TEST_CASE("the head of the log is announced at intervals, and is what new subscribers get") {
    World world({.beacon = std::chrono::seconds(15), .catch_up_rate = 500}, 1000);
    auto actions = world.on(Tick{});
    CHECK(announced<Head>(actions).head == Seq{0});
    CHECK(announced<Head>(actions).spread == 2000);
    REQUIRE(all<SetWelcome>(actions).size() == 1);
    CHECK(all<SetWelcome>(actions)[0].head == announced<Head>(actions));
    world.pass(std::chrono::seconds(14));
    CHECK(all<Announce>(world.on(Tick{})).empty());
    world.pass(std::chrono::seconds(1));
    actions = world.on(Tick{});
    CHECK(announced<Head>(actions).time == world.now.wall);
}

TEST_CASE("nonsense is refused each time, and told to the log seldom") {
    World world;
    world.hello(0);
    std::size_t lines = 0;
    for (int i = 0; i < 1000; ++i) {
        auto const actions = world.on(
            MalformedMessage{World::at_node(0), World::node_key(0), {Fault::damaged, "no message"}});
        CHECK(refused_for(actions, World::at_node(0), Refusal::unknown_type));
        lines += all<Say>(actions).size();
    }
    CHECK(lines == 10);
}

TEST_CASE("first frames that are refused leave no entry behind, however many come") {
    World world;
    world.publish(make_release("app", "1", {{"a", 1000}}));
    auto const before = world.broker.session_entries();
    for (SessionId session = 100; session < 12'100; session += 4) {
        for (SessionId i = 0; i < 4; ++i) world.on(RouteKnown{session + i, {fmt::format("site {}", session), "eth0"}});
        world.from(session, peer_key(999), Ping{});            // a key that is not enrolled
        world.from(session + 1, World::node_key(0), Admin{});  // a role that may not
        world.from(session + 2, World::node_key(0), Sync{});   // no HELLO before
        world.on(MalformedMessage{session + 3, World::node_key(0), {Fault::damaged, "?"}});
    }
    CHECK(world.broker.session_entries() == before);
}

// The control: the count sees what a session that has not ended leaves, in each heart.
TEST_CASE("what hearts keep for a live session is counted, and is gone with the session") {
    World world;
    auto const one = make_release("app", "1", {{"a", 1'000'000}});
    world.publish(one);
    world.hello(0);
    Report report{software("app"), Seq{1}, NodeState::active, 1, {}, "", {}, Seq{1}};
    world.finish(world.from_node(0, report));
    world.publish(make_release("app", "2", {{"b", 1'000'000}}));
    world.from_publisher(make_release("app", "3", {{"c", 10}}).offer);
    auto entries = world.broker.session_entries();
    auto const grows = [&] {
        auto const now = world.broker.session_entries();
        return std::exchange(entries, now) < now;
    };
    world.on(RouteKnown{World::at_node(1), {"a site", "eth0"}});
    CHECK(grows());  // the governor
    world.hello(1);
    CHECK(grows());  // sessions
    world.from_node(1, Credit{MiB(1)});
    CHECK(grows());  // the sender
    world.from_node(1, PatchQuery{software("app"), architecture("amd64"), Seq{1}, Seq{2}});
    CHECK(grows());  // nodes that wait for a patch
    world.from(7, world.publisher_key, Follow{software("app"), {}});
    CHECK(grows());  // followers
    world.from(7, world.publisher_key, make_release("app", "4", {{"d", 10}}).offer);
    CHECK(grows());  // uploads
    for (SessionId const session : {SessionId{7}, World::at_node(0), World::at_node(1), World::at_publisher})
        world.on(SessionGone{session});
    CHECK(world.broker.session_entries() == 0);
}

}  // namespace broker_sessions_test
