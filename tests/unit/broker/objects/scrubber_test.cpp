#include "broker/objects/scrubber.hpp"

#include <catch2/catch.hpp>

#include "broker_fixture.hpp"
#include "tests/support/temporary_directory.hpp"

namespace scrubber_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;
using namespace std::chrono_literals;

namespace {

constexpr Duration interval = std::chrono::hours(24);
constexpr WallTime today{1'000'000'000'000};
WallTime days_later(int days) { return {today.micros + std::int64_t{days} * 86'400'000'000}; }

// Words, of which level 19 makes less than level 3.
Buffer text_of(std::uint64_t seed, std::size_t size = 300'000) {
    std::string text;
    for (std::uint64_t state = seed; text.size() < size;) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        text += fmt::format("word{} ", (state >> 40) % 5000);
    }
    return to_buffer(as_view(text));
}

// Packs that hold two objects each, and all that the scrubber works with.
class Bench {
public:
    Bench() {
        database.emplace(
            store::Environment::open({.directory = directory / "state", .tables = {store::Packs::table, Scrubs::table}})
                .value());
        packs.emplace(
            store::Packs::open({.directory = directory / "packs", .roll_at = Bytes(200'000)}, *database).value());
    }

    store::ObjectPlace put(Buffer const& plain, int level) {
        auto const object = store::pack_object(plain, level);
        auto const place = packs->append(object.shape, object.bytes).value();
        packs->sync();
        REQUIRE(database->apply(store::Batch{store::Packs::index_change(place)}));
        packs->publish(place);
        return place;
    }
    void damage(store::ObjectPlace const& place) {
        auto const path = directory / fmt::format("packs/pack-{:08}", place.pack);
        auto const file = open_file(path, O_WRONLY);
        REQUIRE(file);
        REQUIRE(write_exactly(file->get(), place.offset.count() + 100, as_view("rotten"), path));
    }
    [[nodiscard]] std::optional<store::ObjectPlace> find(store::ObjectPlace const& place) const {
        return packs->find(place.shape.object);
    }

    // Steps until nothing is left, in a new process.
    Scrubbed scrub(WallTime now) {
        Scrubs scrubs;
        Status loaded;
        REQUIRE(database->scan(Scrubs::table, {}, [&](View key, View value) {
            loaded = scrubs.load(key, value);
            return loaded.has_value();
        }));
        REQUIRE(loaded);
        EventLoop loop;
        store::Writer writer(*database, loop);
        Workers workers(loop, 1);
        ObjectWriter object_writer(loop, workers, *packs, writer);
        Scrubber scrubber(loop, *packs, writer, object_writer, log, std::move(scrubs));
        Scrubbed all;
        std::function<void()> const step = [&] {
            scrubber.step(interval, now, [&](Scrubbed const& outcome) {
                all.read += outcome.read;
                all.saved += outcome.saved;
                all.damaged.insert(all.damaged.end(), outcome.damaged.begin(), outcome.damaged.end());
                if (outcome.more) return loop.post(step);
                writer.submit({{Scrubs::table, store::key_of(999), std::nullopt}},
                              [&](Status const&) { loop.stop(); });  // behind all
            });
        };
        loop.post(step);
        loop.run();
        return all;
    }

    lull::test::TemporaryDirectory directory;
    Log log{"test", LogLevel::error};
    std::optional<store::Environment> database;
    std::optional<store::Packs> packs;
};

}  // namespace

TEST_CASE("every object is read again within the interval, and what was read is known after a start") {
    Bench bench;
    Bytes total{};
    for (std::uint64_t i = 0; i < 5; ++i) total += bench.put(text_of(i), store::small_level).shape.stored;
    CHECK(bench.scrub(today).read == total);
    CHECK(bench.scrub(today).read == Bytes());
    auto const late = bench.put(text_of(9), store::small_level);
    CHECK(bench.scrub(today).read == late.shape.stored);
    CHECK(bench.scrub(days_later(1)).read == total + late.shape.stored);
    CHECK(bench.scrub(days_later(-400)).read == total + late.shape.stored);  // the clock was set back
}

TEST_CASE("what is damaged is set aside, and nothing else") {
    Bench bench;
    auto const well = bench.put(text_of(1), store::small_level);
    auto const rotten = bench.put(text_of(2), store::small_level);
    auto const raw = bench.put(to_buffer(sha256(as_view("x")).view()), store::small_level);
    REQUIRE(raw.shape.codec == ObjectCodec::raw);
    bench.damage(rotten);
    CHECK(bench.scrub(today).damaged == std::vector{rotten.shape.object});
    CHECK(bench.find(well));
    CHECK(bench.find(raw));
    CHECK_FALSE(bench.find(rotten));
    CHECK_FALSE(bench.database->get(store::Packs::table, rotten.shape.object.view()).value());
    bench.put(text_of(2), store::small_level);  // uploaded anew
    CHECK(bench.scrub(days_later(2)).damaged.empty());
    CHECK(bench.find(rotten));
}

TEST_CASE("what was packed quickly is packed as small as it gets, once, with the same contents") {
    Bench bench;
    auto const quick = bench.put(text_of(1), store::quick_level);
    auto const small = bench.put(text_of(2), store::small_level);
    auto const outcome = bench.scrub(today);
    auto const now = bench.find(quick);
    REQUIRE(now);
    CHECK(now->shape.stored < quick.shape.stored);
    CHECK(outcome.saved == quick.shape.stored - now->shape.stored);
    CHECK(bench.packs->read_plain(quick.shape.object, MiB(1)).value() == text_of(1));
    CHECK(bench.find(small)->offset == small.offset);
    CHECK(bench.scrub(days_later(2)).saved == Bytes());
}

TEST_CASE("a scrubber that ends in the middle of its work reports nothing and leaves every object as it was") {
    Bench bench;
    auto const quick = bench.put(text_of(1, 8'000'000), store::quick_level);
    EventLoop loop;
    store::Writer writer(*bench.database, loop);
    Workers workers(loop, 1);
    ObjectWriter object_writer(loop, workers, *bench.packs, writer);
    bool reported = false;
    {
        Scrubber scrubber(loop, *bench.packs, writer, object_writer, bench.log, Scrubs());
        loop.post([&] {
            scrubber.step(interval, today, [&](Scrubbed const&) { reported = true; });
            loop.stop();
        });
        loop.run();
    }
    loop.post([&] { loop.stop(); });
    loop.run();
    CHECK_FALSE(reported);
    CHECK(bench.find(quick)->offset == quick.offset);
    CHECK(bench.packs->read_plain(quick.shape.object, MiB(16)));
}

TEST_CASE("a pass that has begun goes on, then what was never read comes first, then the oldest") {
    Scrubs scrubs;
    std::map<std::uint32_t, Bytes> ends{{1, Bytes(100)}, {2, Bytes(100)}, {3, Bytes(100)}};
    CHECK(scrubs.next(ends, interval, today)->pack == 1);
    scrubs.reached(1, {today, Bytes(60)});
    auto const same = scrubs.next(ends, interval, days_later(9));
    CHECK(same->pack == 1);
    CHECK(same->scrub.reached == Bytes(60));
    scrubs.reached(1, {today, Bytes(100)});
    CHECK(scrubs.next(ends, interval, today)->pack == 2);
    scrubs.reached(2, {days_later(-1), Bytes(100)});
    scrubs.reached(3, {days_later(-2), Bytes(100)});
    auto const oldest = scrubs.next(ends, interval, today);
    CHECK(oldest->pack == 3);
    CHECK(oldest->scrub.reached == Bytes());
    CHECK_FALSE(scrubs.next(ends, 72h, today));
    ends.erase(3);
    CHECK(scrubs.prune(ends).size() == 1);
}

TEST_CASE("a table of scrubs that is damaged is said to be so") {
    Scrubs scrubs;
    auto const change = Scrubs::change(7, {today, Bytes(5)});
    CHECK(scrubs.load(change.key, *change.value));
    CHECK(scrubs.load(as_view("key"), *change.value).error().fault == Fault::damaged);
    CHECK(scrubs.load(change.key, as_view("x")).error().fault == Fault::damaged);
    CHECK(scrubs.load(store::key_of(std::uint64_t{1} << 40), *change.value).error().fault == Fault::damaged);
}

// ---- when, and what comes of it ----

namespace {

// The broker after so much time in which nothing happens.
Actions idle(World& world, Duration time) {
    world.pass(time);
    return world.on(Tick{});
}

}  // namespace

TEST_CASE("objects are read only while nobody wants anything, one step after the other") {
    World world;
    auto const release = make_release("app", "1", {{"a", 300'000}});
    world.publish(release);
    CHECK(all<ScrubObjects>(idle(world, 1s)).empty());
    CHECK(all<ScrubObjects>(idle(world, 15s)).size() == 1);
    CHECK(all<ScrubObjects>(idle(world, 15s)).empty());  // under way
    world.on(Scrubbed{true, MiB(64), {}, {}, {}});
    CHECK(all<ScrubObjects>(idle(world, 1s)).size() == 1);
    world.on(Scrubbed{});
    CHECK(all<ScrubObjects>(idle(world, 30s)).empty());

    world.hello(0);
    world.from_node(0, Credit{MiB(1)});
    REQUIRE(all<SendFrame>(world.from_node(0, Fetch{software("app"), Seq{1}, {{digest_of("a"), Bytes()}}})).size() > 0);
    CHECK(all<ScrubObjects>(idle(world, 60s)).empty());
    world.from_node(0, Ack{Bytes(300'000)});
    CHECK(all<ScrubObjects>(idle(world, 1s)).size() <= 1);
}

TEST_CASE("without an interval nothing is read") {
    BrokerSettings settings;
    settings.scrub = {};
    World world(settings);
    CHECK(all<ScrubObjects>(idle(world, 1h)).empty());
}

TEST_CASE("who publishes a release again whose bytes are lost is asked for them") {
    World world;
    auto const release = make_release("app", "1", {{"a", 1000}});
    world.publish(release);
    CHECK(only<Committed>(world.from_publisher(release.offer), World::at_publisher).before);
    idle(world, 15s);
    world.index.remove(digest_of("a"));
    world.on(Scrubbed{false, Bytes(1000), {}, {}, {digest_of("a")}});
    auto const again = world.upload(release);
    CHECK(sent<Committed>(again, World::at_publisher).empty());
    CHECK(world.index.find(digest_of("a")));
    CHECK(sent<Committed>(world.update(release), World::at_publisher).size() == 1);
    CHECK(only<Committed>(world.from_publisher(release.offer), World::at_publisher).before);
}

TEST_CASE("what is lost is found out from what releases need, also after a start") {
    World world;
    auto const release = make_release("app", "1", {{"a", 1000}});
    world.publish(release);
    world.index.remove(digest_of("a"));
    CHECK(all<ListNeeded>(idle(world, 1s)).empty());
    REQUIRE(all<ListNeeded>(idle(world, 2h)).size() == 1);
    auto const said = all<Say>(world.on(NeededListed{ObjectSet{digest_of("a"), release.manifest_shape.object}}));
    CHECK(std::ranges::any_of(
        said, [](Say const& say) { return say.text.find("publish these releases again") != std::string::npos; }));
    CHECK(sent<Committed>(world.from_publisher(release.offer), World::at_publisher).empty());
}

}  // namespace scrubber_test
