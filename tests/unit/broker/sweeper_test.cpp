#include <catch2/catch.hpp>

#include "broker/sweeper.hpp"
#include "broker_fixture.hpp"
#include "store/pack_format.hpp"
#include "tests/support/temporary_directory.hpp"

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

struct Object {
    ObjectShape shape;
    Buffer bytes;
};

Object object_of(std::string_view name, std::size_t size = 1000) {
    Buffer bytes(size);
    std::ranges::copy(as_view(name), bytes.begin());
    return {{sha256(bytes), ObjectCodec::raw, Bytes(size), Bytes(size)}, bytes};
}

// Packs with objects in them, whose packs hold three each and are two days old, and all that the sweeper works with.
class Bench {
public:
    explicit Bench(std::vector<std::string> const& names) {
        open();
        for (auto const& name : names) put(name);
        make_old();
    }

    [[nodiscard]] bool has(std::string_view name) {
        auto const plain = packs->read_plain(object_of(name).shape.object, MiB(1));
        return plain && sha256(*plain) == object_of(name).shape.object;
    }
    [[nodiscard]] std::vector<std::string> files() const {
        std::vector<std::string> names;
        for (auto const& entry : fs::directory_iterator(directory / "packs")) names.push_back(entry.path().filename().string());
        std::ranges::sort(names);
        return names;
    }
    void put(std::string_view name) {
        auto const object = object_of(name);
        auto const place = packs->append(object.shape, object.bytes);
        REQUIRE(place);
        packs->sync();
        REQUIRE(database->apply(store::Batch{store::Packs::index_change(*place)}));
        packs->publish(*place);
    }
    void make_old() {
        for (auto const& name : files()) {
            auto const when = fs::file_time_type::clock::now() - std::chrono::hours(48);
            fs::last_write_time(directory / ("packs/" + name), when);
        }
    }
    void reopen() {
        packs.reset();
        database.reset();
        open();
    }

    // Sweeps all but these, to the end.
    std::pair<std::size_t, Bytes> sweep(std::vector<std::string> const& needed) {
        ObjectSet objects;
        for (auto const& name : needed) objects.insert(object_of(name).shape.object);
        std::pair<std::size_t, Bytes> outcome;
        EventLoop loop;
        store::Writer writer(*database, loop);
        Workers workers(loop, 1);
        Keeper keeper(loop, workers, *packs, writer);
        Sweeper sweeper(workers, *packs, writer, keeper, log);
        loop.post([&] {
            sweeper.remove_others(objects, [&](std::size_t count, Bytes bytes) {
                outcome = {count, bytes};
                loop.stop();
            });
        });
        loop.run();
        return outcome;
    }

    lull::test::TemporaryDirectory directory;
    Log log{"test", LogLevel::error};
    std::optional<store::Environment> database;
    std::optional<store::Packs> packs;

private:
    void open() {
        database.emplace(store::Environment::open({.directory = directory / "state", .tables = {store::Packs::table}}).value());
        packs.emplace(store::Packs::open({.directory = directory / "packs", .roll_at = Bytes(3500)}, *database).value());
    }
};

}  // namespace

TEST_CASE("what no release needs goes, with packs of which nothing is left; what is needed stays, also after a start") {
    Bench bench({"a", "b", "c", "d", "e", "f", "g"});
    auto const before = bench.files().size();
    REQUIRE(before == 3);
    auto const [objects, bytes] = bench.sweep({"d", "e", "f", "g"});
    CHECK(objects == 3);
    CHECK(bytes > Bytes(3000));
    CHECK(bench.files().size() == before - 1);
    for (int start = 0; start < 2; ++start) {
        for (auto const* gone : {"a", "b", "c"}) CHECK_FALSE(bench.has(gone));
        for (auto const* kept : {"d", "e", "f", "g"}) CHECK(bench.has(kept));
        bench.reopen();
    }
}

TEST_CASE("what is left of a pack that is mostly garbage moves to the newest pack") {
    Bench bench({"a", "b", "c", "d", "e", "f", "g"});
    auto const [objects, bytes] = bench.sweep({"b", "d", "e", "f", "g"});
    CHECK(objects == 2);
    CHECK(bytes > Bytes(2000));
    CHECK(bench.files().front() == "pack-00000002");
    bench.reopen();
    for (auto const* kept : {"b", "d", "e", "f", "g"}) CHECK(bench.has(kept));
}

TEST_CASE("a pack that is half full is left alone, and its garbage is forgotten all the same") {
    Bench bench({"a", "b", "c", "d"});
    CHECK(bench.sweep({"a", "b", "d"}).second == Bytes());
    CHECK_FALSE(bench.has("c"));
    CHECK(bench.files().size() == 2);
    bench.put("c");  // published again
    bench.reopen();
    CHECK(bench.has("c"));
}

TEST_CASE("the newest pack, and what was written within a day, stay as they are") {
    Bench bench({"a", "b", "c", "d"});
    CHECK(bench.sweep({"a", "b", "c"}).first == 0);
    CHECK(bench.has("d"));
    fs::last_write_time(bench.directory / "packs/pack-00000001", fs::file_time_type::clock::now() - std::chrono::hours(23));
    CHECK(bench.sweep({}).first == 0);
    CHECK(bench.has("a"));
}

TEST_CASE("an object that is damaged keeps its pack, so that it can be looked at, and the sweep goes on") {
    Bench bench({"a", "b", "c", "d", "e", "f", "g"});
    auto const file = open_file(bench.directory / "packs/pack-00000001", O_RDWR);
    REQUIRE(file);
    auto const place = bench.packs->find(object_of("b").shape.object);
    REQUIRE(write_exactly(file->get(), place->offset.count() + 3, as_view("?"), "pack"));
    bench.make_old();
    auto const [objects, bytes] = bench.sweep({"b", "g"});
    CHECK(objects == 5);
    CHECK(bench.files().front() == "pack-00000001");
    CHECK(bench.files().size() == 2);
}
