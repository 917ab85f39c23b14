#include <catch2/catch.hpp>

#include "broker_fixture.hpp"

namespace broker_log_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

// What the broker does about logs that are not whole: those that were compacted, and those that were restored from an
// older copy.

namespace {

Hello hello_with(Epoch epoch, Seq cursor) {
    return {node_name("node-0000"), architecture("amd64"), "lull-node", "boot", epoch, cursor};
}

Snapshot snapshot(World& world, Epoch epoch, Seq cursor, std::optional<SoftwareName> after = std::nullopt) {
    return only<Snapshot>(world.from_node(0, Sync{epoch, cursor, after}), World::at_node(0));
}

// Who has it at what revision, as the ledger takes it.
void reports(World& world, std::size_t node, std::string_view name, Seq seq, std::uint64_t revision) {
    Report report;
    report.software = software(name);
    report.seq = seq;
    report.state = NodeState::active;
    report.revision = revision;
    report.active = seq;
    world.finish(world.from_node(node, report));
}

// A tick after this time, with whatever it persists durable.
Actions tick_after(World& world, Duration time) {
    world.pass(time);
    auto actions = world.on(Tick{});
    append(actions, world.finish(actions));
    return actions;
}

// What a broker announced that was lost with the newer half of its log.
LogEntry lost_entry(World const& world, std::uint64_t seq, std::string_view name, std::string_view version_text,
                    WallTime published) {
    auto info = make_release(name, version_text, {}).info;
    info.time = published;
    return {Seq{seq}, Seq{seq - 1}, published, seal(encode(info), domain::update_info, world.signing)};
}

}  // namespace

// ---- snapshots ----

TEST_CASE("a node of another log is given the newest release of each software, and where the log is") {
    World world;
    world.publish(make_release("app", "1", {}));
    world.publish(make_release("other", "1", {}));
    world.publish(make_release("app", "2", {}));
    world.hello(0);
    auto const page = snapshot(world, Epoch{78}, Seq{2});
    CHECK(page.epoch == Epoch{77});
    CHECK(page.head == Seq{3});
    REQUIRE(page.entries.size() == 2);
    CHECK(page.entries[0].seq == Seq{3});
    CHECK(page.entries[1].seq == Seq{2});
    CHECK_FALSE(page.rest.has_value());
}

TEST_CASE("a snapshot comes in pages, each behind the last name of the one before") {
    World world;
    std::size_t const count = limits::log_entries_per_message + 5;
    for (std::size_t i = 0; i < count; ++i) world.publish(make_release(fmt::format("app-{:03}", i), "1", {}));
    world.hello(0);
    auto const first = snapshot(world, Epoch{}, Seq{});
    CHECK(first.entries.size() == limits::log_entries_per_message);
    REQUIRE(first.rest == software("app-127"));
    auto const second = snapshot(world, Epoch{}, Seq{}, first.rest);
    CHECK(second.after == first.rest);
    CHECK(second.entries.size() == 5);
    CHECK_FALSE(second.rest.has_value());
    CHECK(snapshot(world, Epoch{}, Seq{}, software("zz")).entries.empty());
}

// ---- retention ----

TEST_CASE("superseded releases leave the log when there are enough newer ones and no node has them") {
    World world({.keep = 2});
    for (auto const* text : {"1", "2", "3", "4", "5"}) world.publish(make_release("app", text, {}));
    world.publish(make_release("other", "1", {}));
    world.hello(0);
    reports(world, 0, "app", Seq{2}, 1);

    tick_after(world, std::chrono::seconds(0));
    auto const& release_log = world.broker.state().release_log;
    CHECK(release_log.at(Seq{1}) == nullptr);
    CHECK(release_log.at(Seq{2}) != nullptr);  // a node has it
    CHECK(release_log.at(Seq{3}) == nullptr);
    CHECK(release_log.at(Seq{4}) != nullptr);
    CHECK(release_log.at(Seq{6}) != nullptr);
    CHECK(release_log.identity().removed == Seq{3});

    reports(world, 0, "app", Seq{5}, 2);
    tick_after(world, std::chrono::minutes(1));
    CHECK(release_log.at(Seq{2}) == nullptr);
    CHECK(world.broker.head({}).head == Seq{6});
}

TEST_CASE("who is behind what was removed gets a snapshot, who is not gets the log") {
    World world({.keep = 1});
    for (auto const* text : {"1", "2", "3"}) world.publish(make_release("app", text, {}));
    tick_after(world, std::chrono::seconds(0));
    world.publish(make_release("app", "4", {}));
    world.hello(0);
    auto const page = snapshot(world, Epoch{77}, Seq{1});
    REQUIRE(page.entries.size() == 1);
    CHECK(page.entries[0].seq == Seq{4});
    auto const log = only<LogPage>(world.from_node(0, Sync{Epoch{77}, Seq{2}}), World::at_node(0));
    CHECK(log.entries.size() == 2);
    CHECK(log.entries[0].prev == Seq{2});
}

TEST_CASE("releases stay in the log when their removal cannot be written, and a publication waits for it") {
    World world({.keep = 1});
    for (auto const* text : {"1", "2"}) world.publish(make_release("app", text, {}));
    auto const removing = world.on(Tick{});
    world.upload(make_release("app", "3", {}));
    auto const publishing = world.update(make_release("app", "3", {}));
    CHECK(all<Persist>(publishing).empty());
    auto const then = world.finish(removing, fail(Fault::no_space, "disk full"));
    CHECK(world.broker.state().release_log.at(Seq{1}) != nullptr);
    REQUIRE(all<Persist>(then).size() == 1);  // its turn has come
    world.finish(then);
    CHECK(world.broker.state().release_log.head() == Seq{3});
}

// ---- garbage ----

namespace {

// A world whose log has just lost a release, so that its objects are garbage: what was ordered then.
ListNeeded after_removal(World& world) {
    for (auto const* text : {"1", "2"}) world.publish(make_release("app", text, {{text, 100}}));
    auto const listing = all<ListNeeded>(tick_after(world, std::chrono::seconds(0)));
    if (listing.size() != 1) throw std::runtime_error("one listing is expected");
    return listing[0];
}

}  // namespace

TEST_CASE("when releases have left the log, all objects but those of the others are removed") {
    World world({.keep = 1, .scrub = {}});
    auto const kept = make_release("app", "2", {{"2", 100}});
    CHECK(after_removal(world).manifests == std::vector<Digest>{kept.manifest_shape.object});
    auto const removal = all<RemoveOthers>(
        world.on(NeededListed{ObjectSet{kept.manifest_shape.object, digest_of("2")}}));
    REQUIRE(removal.size() == 1);
    CHECK(removal[0].needed.size() == 2);
    CHECK(all<ListNeeded>(tick_after(world, std::chrono::hours(48))).empty());  // one at a time
    auto const done = all<Say>(world.on(OthersRemoved{2, Bytes(300)}));
    REQUIRE(done.size() == 1);
    CHECK(done[0].text.find("2 objects") != std::string::npos);
    CHECK(all<ListNeeded>(tick_after(world, std::chrono::hours(23))).empty());
    CHECK(all<ListNeeded>(tick_after(world, std::chrono::hours(1))).size() == 1);
}

TEST_CASE("a broker looks for garbage an hour after its start, also if a crash came before the removal") {
    World world({.scrub = {}});
    world.publish(make_release("app", "1", {}));
    CHECK(all<ListNeeded>(tick_after(world, std::chrono::seconds(0))).empty());
    CHECK(all<ListNeeded>(tick_after(world, std::chrono::minutes(59))).empty());
    CHECK(all<ListNeeded>(tick_after(world, std::chrono::minutes(1))).size() == 1);
}

TEST_CASE("nothing is removed while somebody publishes, or if somebody has published since the listing") {
    World world({.keep = 1});
    (void)after_removal(world);
    world.upload(make_release("app", "3", {{"3", 100}}));
    CHECK(all<RemoveOthers>(world.on(NeededListed{ObjectSet{}})).empty());
    CHECK(all<ListNeeded>(tick_after(world, std::chrono::minutes(1))).empty());
    world.on(SessionGone{World::at_publisher});
    REQUIRE(all<ListNeeded>(tick_after(world, std::chrono::minutes(1))).size() == 1);
    world.publish(make_release("app", "3", {{"3", 100}}));
    CHECK(all<RemoveOthers>(world.on(NeededListed{ObjectSet{}})).empty());
    CHECK(all<ListNeeded>(tick_after(world, std::chrono::minutes(1))).size() == 1);
}

TEST_CASE("nothing is removed if it cannot be found out what is needed") {
    World world({.keep = 1});
    (void)after_removal(world);
    auto const actions = world.on(NeededListed{fail(Fault::damaged, "a manifest is missing")});
    CHECK(all<RemoveOthers>(actions).empty());
    CHECK(all<Say>(actions).size() == 1);
}

// ---- a log that was restored ----

TEST_CASE("a log that a node has seen more of goes on as another one, behind all that may be lost") {
    World world;
    world.publish(make_release("app", "1", {}));
    world.from_node(0, hello_with(Epoch{77}, Seq{2}));
    auto const renewing = world.from_node(0, Witness{Epoch{77}, lost_entry(world, 2, "app", "2", WallTime{5})});
    CHECK(all<Announce>(renewing).empty());  // not before it is durable
    auto const then = world.finish(renewing);
    auto const head = announced<Head>(then);
    CHECK(head.epoch != Epoch{77});
    CHECK(head.head == Seq{1});
    CHECK(all<Say>(then)[0].level == LogLevel::error);

    world.publish(make_release("app", "3", {}));
    CHECK(world.broker.state().release_log.head() == Seq{1'000'001});
    CHECK(snapshot(world, Epoch{77}, Seq{2}).entries.at(0).seq == Seq{1'000'001});
}

TEST_CASE("a witness is not believed without a publisher's signature, of what is here, or of what is older") {
    World world;
    auto release = make_release("app", "1", {});
    release.info.time = WallTime{5};
    world.publish(release);
    world.from_node(0, hello_with(Epoch{77}, Seq{2}));
    auto forged = lost_entry(world, 2, "app", "2", WallTime{9});
    forged.update = seal(forged.update.payload, domain::update_info, SigningKey::generate());
    for (auto const& bad :
         {Witness{Epoch{77}, forged}, Witness{Epoch{77}, lost_entry(world, 2, "app", "1", WallTime{9})},
          Witness{Epoch{77}, lost_entry(world, 2, "app", "2", WallTime{5})},
          Witness{Epoch{77}, lost_entry(world, 1, "app", "2", WallTime{9})},
          Witness{Epoch{78}, lost_entry(world, 2, "app", "2", WallTime{9})}}) {
        CHECK(all<Persist>(world.from_node(0, bad)).empty());
    }
    CHECK(world.broker.state().release_log.epoch() == Epoch{77});
    CHECK_FALSE(
        all<Persist>(world.from_node(0, Witness{Epoch{77}, lost_entry(world, 2, "app", "2", WallTime{9})})).empty());
}

TEST_CASE("two witnesses make one new epoch") {
    World world;
    world.from_node(0, hello_with(Epoch{77}, Seq{2}));
    world.from_node(1, hello_with(Epoch{77}, Seq{2}));
    auto const first = world.from_node(0, Witness{Epoch{77}, lost_entry(world, 1, "app", "1", WallTime{5})});
    auto const second = world.from_node(1, Witness{Epoch{77}, lost_entry(world, 2, "app", "2", WallTime{6})});
    CHECK(all<Persist>(second).empty());
    world.finish(first);
    auto const epoch = world.broker.state().release_log.epoch();
    CHECK(all<Persist>(world.from_node(1, Witness{Epoch{77}, lost_entry(world, 2, "app", "2", WallTime{6})})).empty());
    CHECK(world.broker.state().release_log.epoch() == epoch);
}

TEST_CASE("reports about releases that a restored log has lost are taken, and about lost software are noted") {
    World world;
    world.publish(make_release("app", "1", {}));
    world.from_node(0, hello_with(Epoch{77}, Seq{9}));
    reports(world, 0, "app", Seq{9}, 4);
    auto const row = world.broker.state().node_status.find(software("app"), World::node_key(0));
    REQUIRE(row);
    CHECK(row->seq == Seq{9});
    auto const status = world.broker.status_row(*world.broker.state().release_log.newest(software("app")),
                                                World::node_key(0), {});
    CHECK(status.why.find("release 9") != std::string::npos);

    Report lost;
    lost.software = software("lost");
    lost.seq = Seq{8};
    lost.revision = 3;
    CHECK(only<ReportAck>(world.from_node(0, lost), World::at_node(0)).revision == 3);
}

// ---- keeping at it ----

TEST_CASE("what a node has passed and never reported on is announced to it again, some time after it has checked in") {
    World world;
    world.publish(make_release("app", "1", {}));
    world.publish(make_release("app", "2", {}));
    world.publish(make_release("other", "1", {}));
    world.from_node(0, hello_with(Epoch{77}, Seq{3}));
    reports(world, 0, "other", Seq{3}, 1);
    CHECK(sent<Update>(tick_after(world, std::chrono::seconds(9)), World::at_node(0)).empty());
    auto const again = tick_after(world, std::chrono::seconds(1));
    auto const update = only<Update>(again, World::at_node(0));
    CHECK(update.epoch == Epoch{77});
    CHECK(update.entry.seq == Seq{2});
    CHECK(sent<Update>(tick_after(world, std::chrono::seconds(30)), World::at_node(0)).empty());  // once a session
}

TEST_CASE("what a node will ask for by itself is not announced to it again") {
    World world;
    world.publish(make_release("app", "1", {}));
    world.from_node(0, hello_with(Epoch{77}, Seq{0}));
    CHECK(sent<Update>(tick_after(world, std::chrono::seconds(20)), World::at_node(0)).empty());
    world.from_node(0, hello_with(Epoch{78}, Seq{5}));
    CHECK(sent<Update>(tick_after(world, std::chrono::seconds(20)), World::at_node(0)).empty());
}

TEST_CASE("a session is told 64 releases again at most") {
    World world;
    for (int i = 0; i < 70; ++i) world.publish(make_release(fmt::format("app-{}", i), "1", {}));
    world.from_node(0, hello_with(Epoch{77}, Seq{70}));
    CHECK(sent<Update>(tick_after(world, std::chrono::seconds(10)), World::at_node(0)).size() == 64);
}

// ---- last seen ----

TEST_CASE("when a node was heard last is written each minute, and read again") {
    World world;
    world.on(Tick{});
    world.hello(0);
    world.pass(std::chrono::minutes(1));
    auto const writing = world.on(Tick{});
    auto const batches = all<Persist>(writing);
    REQUIRE(batches.size() == 1);
    REQUIRE(batches[0].batch.size() == 1);
    LastSeen loaded;
    REQUIRE(loaded.load(batches[0].batch[0].key, *batches[0].batch[0].value));
    auto const* sighting = loaded.find(World::node_key(0));
    REQUIRE(sighting != nullptr);
    CHECK(sighting->program == "lull-node 0.1.0");
    CHECK(sighting->when == WallTime{1'000'000'000});
    CHECK(loaded.find(World::node_key(1)) == nullptr);
}

}  // namespace broker_log_test
