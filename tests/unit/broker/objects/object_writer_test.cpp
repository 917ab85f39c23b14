#include "broker/objects/object_writer.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/broker/objects/object_bench.hpp"

namespace object_writer_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

TEST_CASE("objects that many publishers send are found when they are reported, and after a restart") {
    ObjectFiles files(KiB(64));
    constexpr std::uint64_t objects = 120;
    {
        ObjectThreads threads(files);
        std::uint64_t left = objects;
        bool found_at_report = true;
        for (std::uint64_t i = 0; i < objects; ++i) {
            auto object = store::pack_object(noise(500 + i * 37, i), store::quick_level);
            threads.object_writer.keep(
                object.shape, std::move(object.bytes), [&, digest = object.shape.object](Status const& status) {
                    found_at_report = found_at_report && status && files.packs->find(digest).has_value();
                    if (--left == 0) threads.loop.stop();
                });
        }
        threads.loop.run();
        CHECK(found_at_report);
    }
    for (int start = 0; start < 2; ++start) {
        CHECK(files.packs->count() == objects);
        for (std::uint64_t i = 0; i < objects; ++i) CHECK(files.holds(noise(500 + i * 37, i)));
        files.reopen();
    }
}

TEST_CASE("an object whose bytes do not have its digest is refused, and those beside it are kept") {
    ObjectFiles files;
    ObjectThreads threads(files);
    std::vector<std::string> reports;
    for (std::uint64_t i = 0; i < 9; ++i) {
        auto object = store::pack_object(noise(2000, i), store::quick_level);
        if (i == 4) object.bytes[100] ^= std::byte{1};
        threads.object_writer.keep(object.shape, std::move(object.bytes), [&](Status const& status) {
            reports.push_back(status ? "kept" : "damaged");
            if (reports.size() == 9) threads.loop.stop();
        });
    }
    threads.loop.run();
    CHECK(std::ranges::count(reports, "damaged") == 1);
    CHECK(files.packs->count() == 8);
    CHECK_FALSE(files.packs->find(sha256(noise(2000, 4))));
}

TEST_CASE("an object that is here already is reported at once and not written again") {
    ObjectFiles files;
    auto const plain = noise(5000, 1);
    files.put(plain);
    auto const size = fs::file_size(files.pack(1));
    ObjectThreads threads(files);
    auto object = store::pack_object(plain, store::quick_level);
    bool reported = false;
    threads.object_writer.keep(object.shape, std::move(object.bytes),
                               [&](Status const& status) { reported = status.has_value(); });
    CHECK(reported);
    CHECK(fs::file_size(files.pack(1)) == size);
}

TEST_CASE("an object that two publishers send at the same time is kept once, and both are told so") {
    ObjectFiles files;
    auto const plain = noise(5000, 1);
    {
        ObjectThreads threads(files);
        int kept = 0;
        for (int i = 0; i < 2; ++i) {
            auto object = store::pack_object(plain, store::quick_level);
            threads.object_writer.keep(object.shape, std::move(object.bytes), [&](Status const& status) {
                REQUIRE(status);
                if (++kept == 2) threads.loop.stop();
            });
        }
        threads.loop.run();
    }
    CHECK(files.packs->count() == 1);
    files.reopen();
    CHECK(files.packs->count() == 1);
    CHECK(files.holds(plain));
}

TEST_CASE("an object that moves is read whole before, while and after it does") {
    ObjectFiles files(KiB(16));
    auto const plain = noise(10'000, 1);
    auto const before = files.put(plain);
    files.put(noise(10'000, 2));
    ObjectThreads threads(files);
    auto object = store::pack_object(plain, store::quick_level);
    bool whole = true;
    std::function<void()> const read = [&] {
        whole = whole && files.holds(plain);
        threads.loop.post(read);
    };
    threads.loop.post(read);
    threads.object_writer.move(object.shape, std::move(object.bytes), [&](Status const& status) {
        REQUIRE(status);
        threads.loop.stop();
    });
    threads.loop.run();
    CHECK(whole);
    CHECK(files.packs->find(before.shape.object)->pack > before.pack);
    CHECK(files.holds(plain));
}

TEST_CASE("the end of the threads leaves a store that opens, whatever was under way") {
    ObjectFiles files(KiB(64));
    std::uint64_t reported = 0;
    {
        ObjectThreads threads(files);
        for (std::uint64_t i = 0; i < 60; ++i) {
            auto object = store::pack_object(noise(3000, i), store::quick_level);
            threads.object_writer.keep(object.shape, std::move(object.bytes), [&](Status const& status) {
                REQUIRE(status);
                if (++reported == 20) threads.loop.stop();
            });
        }
        threads.loop.run();
    }
    files.reopen();
    CHECK(files.packs->count() >= 20);
    for (auto const& [pack, use] : files.packs->uses()) {
        for (auto const& place : files.packs->objects_in(pack)) {
            CHECK(files.packs->read_plain(place.shape.object, MiB(1)));
        }
    }
}

}  // namespace object_writer_test
