#include "broker/objects/garbage_collector.hpp"

#include <catch2/catch.hpp>

#include "broker/objects/stored_manifest.hpp"
#include "schema/envelope.hpp"
#include "tests/unit/broker/objects/object_bench.hpp"

namespace garbage_collector_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

Buffer plain_of(std::string_view name) {
    Buffer bytes(1000);
    std::ranges::copy(as_view(name), bytes.begin());
    return bytes;
}

store::StoredObject object_of(std::string_view name) {
    auto plain = plain_of(name);
    return {{sha256(plain), ObjectCodec::raw, Bytes(plain.size()), Bytes(plain.size())}, plain};
}

// Packs with objects in them, of which each holds three and is two days old, and the collector.
class Bench : public ObjectFiles {
public:
    explicit Bench(std::vector<std::string> const& names) : ObjectFiles(Bytes(3500)) {
        for (auto const& name : names) put(object_of(name));
        make_old();
    }

    [[nodiscard]] bool has(std::string_view name) { return holds(plain_of(name)); }
    [[nodiscard]] std::vector<std::string> files() const {
        std::vector<std::string> names;
        for (auto const& entry : fs::directory_iterator(directory / "packs"))
            names.push_back(entry.path().filename().string());
        std::ranges::sort(names);
        return names;
    }
    void make_old() {
        for (auto const& name : files()) {
            auto const when = fs::file_time_type::clock::now() - std::chrono::hours(48);
            fs::last_write_time(directory / ("packs/" + name), when);
        }
    }

    // Removes all objects but these and those that the manifests need, to the end.
    std::pair<std::size_t, Bytes> sweep(std::vector<std::string> const& needed,
                                        std::vector<Digest> const& manifests = {}) {
        std::pair<std::size_t, Bytes> outcome;
        ObjectThreads threads(*this);
        GarbageCollector collector(threads.workers, *packs, threads.writer, threads.object_writer, log);
        threads.loop.post([&] {
            collector.list_needed(manifests, [&](Result<ObjectSet> listed) {
                auto objects = std::move(listed.value());
                for (auto const& name : needed) objects.insert(object_of(name).shape.object);
                collector.remove_others(objects, [&](std::size_t count, Bytes bytes) {
                    outcome = {count, bytes};
                    threads.loop.stop();
                });
            });
        });
        threads.loop.run();
        return outcome;
    }

    Log log{"test", LogLevel::error};
};

// A manifest that names these objects as its segments, as it is stored.
Buffer manifest_of(std::vector<std::string> const& names, std::string_view architecture) {
    Manifest manifest{
        *SoftwareName::parse("app"), *VersionName::parse("1"), *ArchitectureName::parse(architecture), {}, {}, {}};
    for (auto const& name : names) manifest.segments.push_back({object_of(name).shape.object, Bytes(1000)});
    return encode(seal(encode(manifest), domain::manifest, SigningKey::generate()));
}

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
    bench.put(object_of("c"));  // published again
    bench.reopen();
    CHECK(bench.has("c"));
}

TEST_CASE("the newest pack, and what was written within a day, stay as they are") {
    Bench bench({"a", "b", "c", "d"});
    CHECK(bench.sweep({"a", "b", "c"}).first == 0);
    CHECK(bench.has("d"));
    fs::last_write_time(bench.directory / "packs/pack-00000001",
                        fs::file_time_type::clock::now() - std::chrono::hours(23));
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

TEST_CASE("what the builds of one release need is all kept, with their manifests, and nothing else") {
    std::vector<std::string> names;
    for (char letter = 'a'; letter <= 'u'; ++letter) names.emplace_back(1, letter);
    Bench bench(names);
    std::vector<Buffer> const builds{manifest_of({"a", "b", "f"}, "amd64"), manifest_of({"b", "c", "k"}, "arm64"),
                                     manifest_of({"p"}, "riscv64")};
    std::vector<Digest> manifests;
    for (auto const& build : builds) {
        bench.put(build);
        manifests.push_back(sha256(build));
    }
    for (char const* name : {"x", "y", "z", "zz"})
        bench.put(object_of(name));  // so that no build is in the newest pack
    bench.make_old();
    bench.sweep({"x", "y", "z", "zz"}, manifests);
    for (int start = 0; start < 2; ++start) {
        for (auto const& build : builds) CHECK(bench.holds(build));
        for (auto const* kept : {"a", "b", "c", "f", "k", "p"}) CHECK(bench.has(kept));
        for (auto const* gone : {"d", "e", "g", "h", "l", "o", "q", "u"}) CHECK_FALSE(bench.has(gone));
        bench.reopen();
    }
}

TEST_CASE("a manifest that is missing or damaged is an error of the listing") {
    Bench bench({"a", "b", "c", "d"});
    ObjectThreads threads(bench);
    GarbageCollector collector(threads.workers, *bench.packs, threads.writer, threads.object_writer, bench.log);
    std::vector<Fault> faults;
    auto const note = [&](Result<ObjectSet> const& listed) {
        faults.push_back(listed ? Fault::failed : listed.error().fault);
        if (faults.size() == 2) threads.loop.stop();
    };
    threads.loop.post([&] {
        collector.list_needed({sha256(as_view("?"))}, note);
        collector.list_needed({object_of("a").shape.object}, note);  // no manifest
    });
    threads.loop.run();
    CHECK(faults == std::vector{Fault::damaged, Fault::damaged});
}

TEST_CASE("objects are written, moved, read and swept by their threads at the same time") {
    std::vector<std::string> names;
    for (int i = 0; i < 40; ++i) names.push_back(fmt::format("object {}", i));
    Bench bench(names);
    ObjectThreads threads(bench);
    GarbageCollector collector(threads.workers, *bench.packs, threads.writer, threads.object_writer, bench.log);
    ObjectSet needed;
    for (std::size_t i = 0; i < names.size(); i += 3) needed.insert(object_of(names[i]).shape.object);
    int left = 21;
    auto const one_less = [&] {
        if (--left == 0) threads.loop.stop();
    };
    threads.loop.post([&] {
        collector.list_needed({}, [&](Result<ObjectSet> const&) {
            collector.remove_others(needed, [&](std::size_t, Bytes) { one_less(); });
            for (int i = 0; i < 20; ++i) {
                auto object = object_of(fmt::format("new {}", i));
                threads.object_writer.keep(object.shape, std::move(object.bytes), [&](Status const& status) {
                    REQUIRE(status);
                    one_less();
                });
            }
        });
    });
    threads.loop.run();
    for (std::size_t i = 0; i < names.size(); i += 3) CHECK(bench.has(names[i]));
    for (int i = 0; i < 20; ++i) CHECK(bench.has(fmt::format("new {}", i)));
    CHECK_FALSE(bench.has(names[1]));
}

}  // namespace garbage_collector_test
