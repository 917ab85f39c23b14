#include <catch2/catch.hpp>

#include "orders_fixture.hpp"

namespace broker_progress_test {

// FOLLOW and PROGRESS: how far a release is in the fleet, for whoever waits for it.

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;
using namespace std::chrono_literals;

namespace {

constexpr SessionId at_follower = 3;

Follow follow(std::optional<VersionName> version = std::nullopt) { return {software("app"), std::move(version)}; }

ReleaseProgress ask(World& world, Follow const& question) {
    return only<ReleaseProgress>(world.from(at_follower, world.publisher_key, question), at_follower);
}

std::vector<ReleaseProgress> told(Actions const& actions) { return sent<ReleaseProgress>(actions, at_follower); }

}  // namespace

TEST_CASE("progress counts every node in the state that it reported last") {
    World world({}, 6);
    publish(world, {"1"});
    reports(world, 0, Seq{1}, NodeState::active);
    reports(world, 1, Seq{1}, NodeState::active);
    reports(world, 2, Seq{1}, NodeState::waiting);
    reports(world, 3, Seq{1}, NodeState::failed, "no space");
    auto const progress = ask(world, follow());
    CHECK(progress.version == version("1"));
    CHECK(progress.seq == Seq{1});
    CHECK(progress.all() == 6);
    CHECK(progress.in(NodeState::active) == 2);
    CHECK(progress.in(NodeState::waiting) == 1);
    CHECK(progress.in(NodeState::failed) == 1);
    CHECK(progress.in(NodeState::undistributed) == 2);
    CHECK(progress.away == 2);  // those that never came
    CHECK(progress.failures == std::vector{FailedNode{node_name("node-0003"), "no space"}});
    CHECK_FALSE(progress.rollout);
    CHECK_FALSE(progress.stopped);
    CHECK_FALSE(progress.superseded);
}

TEST_CASE("at most five of the nodes on which it failed are named") {
    World world({}, 9);
    publish(world, {"1"});
    for (std::size_t i = 0; i < 9; ++i)
        reports(world, i, Seq{1}, i % 2 == 0 ? NodeState::failed : NodeState::rolled_back, fmt::format("why {}", i));
    auto const progress = ask(world, follow());
    CHECK(progress.in(NodeState::failed) == 5);
    CHECK(progress.in(NodeState::rolled_back) == 4);
    REQUIRE(progress.failures.size() == limits::failures_per_progress);
    CHECK(progress.failures[4].why == "why 4");
}

TEST_CASE("an older release can be followed, and says that it is superseded") {
    World world;
    publish(world, {"1", "2"});
    reports(world, 0, Seq{1}, NodeState::active);
    reports(world, 1, Seq{2}, NodeState::active);
    auto const older = ask(world, follow(version("1")));
    CHECK(older.superseded);
    CHECK(older.in(NodeState::active) == 1);
    CHECK(older.in(NodeState::superseded) == 1);
    auto const newer = ask(world, follow());
    CHECK(newer.version == version("2"));
    CHECK(newer.in(NodeState::active) == 1);
    CHECK(newer.in(NodeState::undistributed) == 2);
}

TEST_CASE("a node on which the release is live counts as such while a newer one is on its way") {
    World world;
    publish(world, {"1", "2"});
    world.hello(0);
    Report report;
    report.software = software("app");
    report.seq = Seq{2};
    report.state = NodeState::fetching;
    report.revision = 1;
    report.active = Seq{1};
    settle(world, world.from_node(0, report));
    CHECK(ask(world, follow(version("1"))).in(NodeState::active) == 1);
    CHECK(ask(world, follow()).in(NodeState::fetching) == 1);
}

TEST_CASE("what does not exist cannot be followed, and nodes follow nothing") {
    World world;
    publish(world, {"1"});
    auto const unknown = only<Refused>(world.from(at_follower, world.publisher_key, Follow{software("nothing"), {}}),
                                       at_follower);
    CHECK_THAT(unknown.text, Catch::Contains("there is no nothing here"));
    CHECK_THAT(only<Refused>(world.from(at_follower, world.publisher_key, follow(version("9"))), at_follower).text,
               Catch::Contains("no app 9"));
    CHECK(only<Refused>(world.from_node(0, follow()), World::at_node(0)).reason == Refusal::not_allowed);
    CHECK(sent<ReleaseProgress>(world.from_operator(follow()), World::at_operator).size() == 1);
}

TEST_CASE("whoever follows is told again when something has changed, and only then") {
    World world;
    publish(world, {"1"});
    ask(world, follow());
    for (int i = 0; i < 20; ++i) {
        world.pass(1s);
        CHECK(told(settle(world, world.on(Tick{}))).empty());
    }
    auto const news = told(reports(world, 0, Seq{1}, NodeState::active));
    REQUIRE(news.size() == 1);
    CHECK(news[0].in(NodeState::active) == 1);
    CHECK(told(reports(world, 0, Seq{1}, NodeState::active)).empty());  // the same state once more

    world.on(SessionGone{at_follower});
    CHECK(told(reports(world, 1, Seq{1}, NodeState::active)).empty());
}

TEST_CASE("a follower hears of a release that is paused, withdrawn or superseded, without any node's report") {
    World world;
    publish(world, {"1"});
    ask(world, follow());
    auto const later = [&] {
        world.pass(15s);
        return told(settle(world, world.on(Tick{})));
    };
    settle(world, world.from_operator(give(order(OrderKind::pause))));
    auto news = later();
    REQUIRE(news.size() == 1);
    CHECK(news[0].stopped->kind == OrderKind::pause);
    settle(world, world.from_operator(give(order(OrderKind::withdraw))));
    news = later();
    REQUIRE(news.size() == 1);
    CHECK(news[0].stopped->kind == OrderKind::withdraw);
    CHECK(news[0].stopped->by == "anna");
    news = told(settle(world, world.publish(make_release("app", "2", {}))));
    if (news.empty()) news = later();
    REQUIRE(news.size() == 1);
    CHECK(news[0].superseded);
}

TEST_CASE("a failure that halts a rollout is told together with the halt") {
    World world({}, 10);
    for (std::size_t i = 0; i < 10; ++i) world.hello(i);
    settle(world, world.publish(rolled_out("1", {{1000, all_nodes}, 0, 0})));
    auto const line = awaiting_rollout(world, "1");
    auto const begun = ask(world, follow());
    REQUIRE(begun.rollout);
    CHECK(*begun.rollout == RolloutProgress{1, 2, 1000, 1, 0, 0, 0});
    auto const news = told(reports(world, line[0], Seq{1}, NodeState::rolled_back, "no display"));
    REQUIRE(news.size() == 1);
    CHECK(news[0].stopped);
    CHECK(news[0].rollout->failed == 1);
    CHECK(news[0].failures.at(0).why == "no display");
}

TEST_CASE("progress of a rollout counts those whose turn it is") {
    World world({}, 10);
    for (std::size_t i = 0; i < 10; ++i) world.hello(i);
    settle(world, world.publish(rolled_out("1", {{2000, 5000, all_nodes}, 0, std::nullopt})));
    auto const line = awaiting_rollout(world, "1");
    reports(world, line[0], Seq{1}, NodeState::active);
    reports(world, line[1], Seq{1}, NodeState::waiting);
    reports(world, line[2], Seq{1}, NodeState::failed, "no");
    CHECK(*ask(world, follow()).rollout == RolloutProgress{2, 3, 5000, 5, 1, 1, 1});
}

}  // namespace broker_progress_test
