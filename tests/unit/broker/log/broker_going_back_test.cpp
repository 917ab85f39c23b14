#include <catch2/catch.hpp>

#include "orders_fixture.hpp"

namespace broker_going_back_test {

// Releases that go back to an older one, whose manifests and objects are here already.

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

TestRelease as(TestRelease release, std::string_view version_text) {
    release.offer.version = version(version_text);
    release.info.version = version(version_text);
    return release;
}

}  // namespace

TEST_CASE("a release that goes back is published without a byte of its contents") {
    World world;
    auto const older = make_release("app", "1", {{"a", 300}, {"b", 400}});
    settle(world, world.publish(older));
    settle(world, world.publish(make_release("app", "2", {{"c", 300}})));
    auto const back = as(older, "1+back-2");
    auto actions = world.from_publisher(back.offer);
    append(actions, world.on(ManifestOpened{World::at_publisher, back.manifest_shape.object, back.manifest}));
    for (auto const& need : sent<Need>(actions, World::at_publisher)) CHECK(need.objects.empty());
    auto const done = settle(world, world.update(back));
    CHECK(only<Committed>(done, World::at_publisher).seq == Seq{3});
    CHECK(announced<Update>(done).entry.seq == Seq{3});
    CHECK(world.broker.state().release_log.newest(software("app"))->info.version == version("1+back-2"));
}

TEST_CASE("the contents of another version, or of other software, are not what a release goes back to") {
    World world;
    auto const older = make_release("app", "1", {{"a", 300}});
    settle(world, world.publish(older));
    auto const refused = [&](TestRelease const& release) {
        world.from_publisher(release.offer);
        auto const actions = world.on(
            ManifestOpened{World::at_publisher, release.manifest_shape.object, release.manifest});
        CHECK(sent<Refused>(actions, World::at_publisher).size() == 1);
        CHECK(sent<Need>(actions, World::at_publisher).empty());
    };
    refused(as(older, "0.9+back-1"));
    refused(as(older, "1+back-x"));
    refused(as(older, "2"));
    auto other = as(older, "1+back-1");
    other.offer.software = software("other");
    refused(other);
}

TEST_CASE("orders about the release that is gone back from do not stand for the one that goes back") {
    World world;
    auto const older = make_release("app", "1", {});
    settle(world, world.publish(older));
    publish(world, {"2"});
    settle(world, world.from_operator(give(order(OrderKind::withdraw))));
    auto const back = as(older, "1+back-2");
    world.from_publisher(back.offer);
    world.on(ManifestOpened{World::at_publisher, back.manifest_shape.object, back.manifest});
    settle(world, world.update(back));
    auto const answer = only<Answer>(world.from_operator(list_orders()), World::at_operator);
    CHECK(answer.orders->empty());
    settle(world, world.from_operator(give(order(OrderKind::force))));
    CHECK(world.broker.state().orders.for_all().find(OrderKind::force, software("app"), Seq{3}) != nullptr);
}

}  // namespace broker_going_back_test
