#include "publisher/tree/stat_cache.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/publisher/trees.hpp"

namespace stat_cache_test {

using namespace lull;
using namespace lull::publisher;

namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t scanned = 1000 * second;

FileStamp stamp(std::int64_t modified) { return {Bytes(5), modified, modified, 7, 8}; }
FileFacts facts(std::string_view contents) { return {sha256(as_view(contents)), "amd64"}; }

StatCache load(test::TemporaryDirectory const& temporary) {
    return StatCache::load(temporary / "cache", "/the/tree", CacheBelief::unchanged_files);
}

fs::path only_file(test::TemporaryDirectory const& temporary) {
    return fs::directory_iterator(temporary / "cache")->path();
}

void save_one(test::TemporaryDirectory const& temporary) {
    auto cache = load(temporary);
    cache.remember("bin/app", stamp(scanned - 3 * second), facts("app"), scanned);
    cache.remember_segment(sha256(as_view("pieces")), sha256(as_view("segment")));
    REQUIRE(cache.save());
}

}  // namespace

TEST_CASE("a stat cache knows an unchanged file and an unchanged segment next time") {
    test::TemporaryDirectory temporary;
    CHECK(load(temporary).warning().empty());
    save_one(temporary);
    auto const cache = load(temporary);
    CHECK(cache.warning().empty());
    CHECK(cache.find("bin/app", stamp(scanned - 3 * second)) == facts("app"));
    CHECK(cache.find_segment(sha256(as_view("pieces"))) == sha256(as_view("segment")));
}

TEST_CASE("a stat cache does not know a file of which anything differs") {
    test::TemporaryDirectory temporary;
    save_one(temporary);
    auto const cache = load(temporary);
    auto const good = stamp(scanned - 3 * second);
    auto const differs = [&](auto change) {
        auto other = good;
        change(other);
        return !cache.find("bin/app", other).has_value();
    };
    CHECK(differs([](FileStamp& s) { s.size += Bytes(1); }));
    CHECK(differs([](FileStamp& s) { ++s.modified; }));
    CHECK(differs([](FileStamp& s) { ++s.changed; }));
    CHECK(differs([](FileStamp& s) { ++s.inode; }));
    CHECK(differs([](FileStamp& s) { ++s.device; }));
    CHECK_FALSE(cache.find("bin/other", good));
}

TEST_CASE("a file that was written within two seconds of the scan is not believed next time") {
    test::TemporaryDirectory temporary;
    auto cache = load(temporary);
    cache.remember("old", stamp(scanned - 2 * second), facts("old"), scanned);
    cache.remember("racy", stamp(scanned - 2 * second + 1), facts("racy"), scanned);
    cache.remember("future", stamp(scanned + 9 * second), facts("future"), scanned);
    auto touched = stamp(scanned - 9 * second);
    touched.changed = scanned;
    cache.remember("touched", touched, facts("touched"), scanned);
    REQUIRE(cache.save());

    auto const next = load(temporary);
    CHECK(next.find("old", stamp(scanned - 2 * second)));
    CHECK_FALSE(next.find("racy", stamp(scanned - 2 * second + 1)));
    CHECK_FALSE(next.find("future", stamp(scanned + 9 * second)));
    CHECK_FALSE(next.find("touched", touched));
}

TEST_CASE("files that were not seen again are forgotten") {
    test::TemporaryDirectory temporary;
    save_one(temporary);
    REQUIRE(load(temporary).save());
    CHECK_FALSE(load(temporary).find("bin/app", stamp(scanned - 3 * second)));
}

TEST_CASE("a damaged cache is ignored with a warning, and replaced") {
    test::TemporaryDirectory temporary;
    save_one(temporary);
    auto bytes = read_file(only_file(temporary), MiB(1));
    REQUIRE(bytes);
    auto const size = bytes->size();
    auto const at = GENERATE_COPY(std::size_t{0}, std::size_t{40}, size - 1);
    SECTION("a flipped bit") { (*bytes)[at] ^= std::byte{1}; }
    SECTION("a lost end") { bytes->resize(at); }
    REQUIRE(write_file_durably(only_file(temporary), *bytes, 0600));

    auto const cache = load(temporary);
    CHECK_THAT(cache.warning(), Catch::Contains("every file is read"));
    CHECK_FALSE(cache.find("bin/app", stamp(scanned - 3 * second)));
    save_one(temporary);
    CHECK(load(temporary).warning().empty());
}

TEST_CASE("a cache that is asked to believe nothing knows nothing but remembers") {
    test::TemporaryDirectory temporary;
    save_one(temporary);
    auto cache = StatCache::load(temporary / "cache", "/the/tree", CacheBelief::nothing);
    CHECK_FALSE(cache.find("bin/app", stamp(scanned - 3 * second)));
    cache.remember("bin/app", stamp(scanned - 3 * second), facts("new"), scanned);
    REQUIRE(cache.save());
    CHECK(load(temporary).find("bin/app", stamp(scanned - 3 * second)) == facts("new"));
}

TEST_CASE("each source has a cache of its own, and a cache without a place is not saved") {
    test::TemporaryDirectory temporary;
    save_one(temporary);
    auto const other = StatCache::load(temporary / "cache", "/other/tree", CacheBelief::unchanged_files);
    CHECK_FALSE(other.find("bin/app", stamp(scanned - 3 * second)));
    CHECK(StatCache().save());
}

}  // namespace stat_cache_test
