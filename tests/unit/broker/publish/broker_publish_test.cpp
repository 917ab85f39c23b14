#include <catch2/catch.hpp>

#include "broker_fixture.hpp"

namespace broker_publish_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

TestRelease app(std::string_view version_text = "1.0") {
    return make_release("app", version_text, {{"a", 300}, {"b", 400}});
}

}  // namespace

TEST_CASE("a release is acknowledged and announced only once it is durable") {
    World world;
    auto const release = app();
    CHECK(sent<Need>(world.upload(release), World::at_publisher).back().objects.empty());

    auto const before = world.update(release);
    REQUIRE(all<Persist>(before).size() == 1);
    CHECK(all<Persist>(before)[0].batch.size() == 1);
    CHECK(all<Persist>(before)[0].batch[0].table == "log");
    CHECK(all<Send>(before).empty());
    CHECK(all<Announce>(before).empty());
    CHECK(world.broker.state().release_log.head() == Seq{0});
    CHECK(only<Welcome>(world.hello(0), World::at_node(0)).head == Seq{0});

    auto const after = world.finish(before);
    auto const committed = only<Committed>(after, World::at_publisher);
    CHECK(committed.seq == Seq{1});
    CHECK(committed.epoch == Epoch{77});
    CHECK(!committed.before);
    auto const update = announced<Update>(after);
    CHECK(update.epoch == Epoch{77});
    CHECK(update.entry.seq == Seq{1});
    CHECK(update.entry.prev == Seq{0});
    CHECK(open_update_info(update.entry.update, world.broker.state().peers.publishers()).value() == release.info);
    REQUIRE(all<SetWelcome>(after).size() == 1);
    CHECK(all<SetWelcome>(after)[0].head.head == Seq{1});

    BrokerState loaded(LogIdentity{Epoch{77}});
    auto const change = all<Persist>(before)[0].batch[0];
    REQUIRE(loaded.release_log.load(change.key, *change.value));
    CHECK(loaded.release_log.at(Seq{1})->entry == update.entry);
}

TEST_CASE("a repeated UPDATE is acknowledged again and enters the log once") {
    World world;
    auto const release = app();
    world.upload(release);
    auto const first = world.update(release);
    auto const meanwhile = world.update(release);  // before the disk has answered
    CHECK(all<Persist>(meanwhile).empty());
    auto const after = world.finish(first);
    CHECK(sent<Committed>(after, World::at_publisher).size() == 2);
    CHECK(all<Persist>(after).empty());
    CHECK(all<Announce>(after).size() == 1);

    auto const again = world.update(release);
    CHECK(only<Committed>(again, World::at_publisher).seq == Seq{1});
    CHECK(all<Persist>(again).empty());
    CHECK(all<Announce>(again).empty());
    CHECK(world.broker.state().release_log.head() == Seq{1});
}

TEST_CASE("offering again what was published is acknowledged at once") {
    World world;
    world.publish(app());
    auto const actions = world.from(60, world.publisher_key, app().offer);
    auto const committed = only<Committed>(actions, 60);
    CHECK(committed.before);
    CHECK(committed.seq == Seq{1});
    CHECK(sent<Need>(actions, 60).empty());
}

TEST_CASE("a version that exists with other contents is a conflict") {
    World world;
    world.publish(app());
    auto const other = make_release("app", "1.0", {{"c", 5}});
    auto const refused = only<Refused>(world.from(60, world.publisher_key, other.offer), 60);
    CHECK(refused.reason == Refusal::conflict);
    CHECK(refused.text.find("choose a new version") != std::string::npos);
}

TEST_CASE("of two publishers of one version, the second is refused when the first has come before it") {
    World world;
    auto const mine = app();
    auto const theirs = make_release("app", "1.0", {});
    world.upload(mine);

    // An operator may publish as well.
    world.from(61, world.operator_key, theirs.offer);
    world.index.add(theirs.manifest_shape);
    world.on(ObjectKept{61, theirs.manifest_shape.object, Bytes(100), {}});
    world.on(ManifestOpened{61, theirs.manifest_shape.object, theirs.manifest});
    Update update;
    update.entry.update = seal(encode(theirs.info), domain::update_info, world.signing);

    auto const first = world.update(mine);
    CHECK(all<Persist>(world.on(UpdateArrived{world.operator_key, update})).empty());
    auto const after = world.finish(first);
    CHECK(only<Committed>(after, World::at_publisher).seq == Seq{1});
    CHECK(only<Refused>(after, 61).reason == Refusal::conflict);
    CHECK(all<Persist>(after).empty());
}

TEST_CASE("releases that arrive while one is being written follow it in turn") {
    World world;
    auto const first = make_release("one", "1", {});
    auto const second = make_release("two", "1", {});
    world.upload(first);
    world.upload(second);  // in the same session: the first offer is over
    CHECK(all<Persist>(world.update(first)).empty());

    world.from(61, world.operator_key, first.offer);
    world.on(ManifestOpened{61, first.manifest_shape.object, first.manifest});
    Update update;
    update.entry.update = seal(encode(first.info), domain::update_info, world.signing);
    auto const writing = world.update(second);
    CHECK(all<Persist>(writing).size() == 1);
    CHECK(all<Persist>(world.on(UpdateArrived{world.operator_key, update})).empty());
    auto const next = world.finish(writing);
    CHECK(only<Committed>(next, World::at_publisher).seq == Seq{1});
    REQUIRE(all<Persist>(next).size() == 1);
    CHECK(only<Committed>(world.finish(next), 61).seq == Seq{2});
    CHECK(world.broker.state().release_log.at(Seq{2})->entry.prev == Seq{1});
}

TEST_CASE("a release that cannot be written is refused, and nobody sees anything of it") {
    World world;
    auto const release = app();
    world.upload(release);
    auto const after = world.finish(world.update(release), fail(Fault::no_space, "disk full"));
    auto const refused = only<Refused>(after, World::at_publisher);
    CHECK(refused.reason == Refusal::no_space);
    CHECK(refused.text.find("disk full") != std::string::npos);
    CHECK(all<Announce>(after).empty());
    CHECK(all<SetWelcome>(after).empty());
    CHECK(world.broker.state().release_log.head() == Seq{0});
    CHECK(world.broker.state().release_log.newest(software("app")) == nullptr);

    // Room was made: the same release goes in, with the number that the other did not use.
    CHECK(only<Committed>(world.publish(release), World::at_publisher).seq == Seq{1});
}

TEST_CASE("an UPDATE counts only behind a complete offer of the same peer") {
    World world;
    auto const release = app();
    CHECK(world.update(release).empty());
    world.from_publisher(release.offer);
    CHECK(world.update(release).empty());

    world.upload(release);
    Update update;
    update.entry.update = seal(encode(release.info), domain::update_info, world.signing);
    CHECK(world.on(UpdateArrived{world.operator_key, update}).empty());
    auto other = release;
    other.info.builds[0].files = 17;
    CHECK(world.update(other).empty());
    CHECK(all<Persist>(world.update(release)).size() == 1);
}

TEST_CASE("an UPDATE that is not signed by a publisher, or comes from a node, changes nothing") {
    World world;
    auto const release = app();
    world.upload(release);
    Update update;
    update.entry.update = seal(encode(release.info), domain::update_info, SigningKey::generate());
    auto actions = world.on(UpdateArrived{world.publisher_key, update});
    CHECK(all<Persist>(actions).empty());
    CHECK(all<Say>(actions).size() == 1);

    update.entry.update = seal(encode(release.info), domain::update_info, world.signing);
    actions = world.on(UpdateArrived{World::node_key(0), update});
    CHECK(all<Persist>(actions).empty());
    CHECK(world.on(UpdateArrived{peer_key(999), update}).empty());

    update.entry.update = seal(encode(release.info), domain::manifest, world.signing);
    CHECK(all<Persist>(world.on(UpdateArrived{world.publisher_key, update})).empty());
}

TEST_CASE("a publisher that vanished while its release was being written has published it all the same") {
    World world;
    auto const release = app();
    world.upload(release);
    auto const writing = world.update(release);
    world.on(SessionGone{World::at_publisher});
    auto const after = world.finish(writing);
    CHECK(announced<Update>(after).entry.seq == Seq{1});
    CHECK(only<Committed>(world.from(60, world.publisher_key, release.offer), 60).before);
}

}  // namespace broker_publish_test
