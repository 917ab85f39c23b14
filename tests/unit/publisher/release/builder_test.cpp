#include "publisher/release/builder.hpp"

#include <catch2/catch.hpp>

#include "schema/limits.hpp"
#include "tests/unit/publisher/trees.hpp"

namespace builder_test {

using namespace lull;
using namespace lull::publisher;
using test::put_file;

namespace {

BuildRequest request(std::string_view version = "1.0") {
    return {SoftwareName::parse("app").value(), VersionName::parse(version).value(), std::nullopt, {}};
}

SigningKey const& key() {
    static SigningKey const made = SigningKey::generate();
    return made;
}

Result<Release> try_build(fs::path const& root, StatCache& cache, BuildRequest const& wanted = request()) {
    auto const tree = open_source(root, TopDirectory::keep);
    if (!tree) return pass(tree.error());
    return build_release(*tree, wanted, key(), cache, nullptr);
}

Release build(fs::path const& root, BuildRequest const& wanted = request()) {
    StatCache cache;
    auto release = try_build(root, cache, wanted);
    REQUIRE(release);
    return std::move(*release);
}

// A tree with batches, a file of several segments, equal files, an empty one, a link.
void make_tree(fs::path const& root) {
    for (std::uint64_t i = 0; i < 60; ++i) put_file(root / "small" / std::to_string(i), test::noise(40'000, i));
    put_file(root / "large", test::noise(20u << 20, 100));
    put_file(root / "large-again", test::noise(20u << 20, 100));
    put_file(root / "bin/app", "#!/bin/sh\n", 0755);
    put_file(root / "none", "");
    fs::create_symlink("bin/app", root / "run");
}

// What the segments say that a file holds.
Buffer contents_by_manifest(Release const& release, std::string const& path) {
    for (auto const& entry : release.manifest.entries) {
        if (entry.path != path || entry.size.zero()) continue;
        Buffer bytes;
        for (auto index = *entry.segment; bytes.size() < entry.offset->count() + entry.size.count(); ++index) {
            auto const segment = read_segment(release, index);
            REQUIRE(segment);
            bytes.insert(bytes.end(), segment->begin(), segment->end());
        }
        auto const begin = bytes.begin() + static_cast<std::ptrdiff_t>(entry.offset->count());
        return {begin, begin + static_cast<std::ptrdiff_t>(entry.size.count())};
    }
    return {};
}

}  // namespace

TEST_CASE("a release holds a signed manifest whose segments give back every file") {
    test::TemporaryDirectory temporary;
    make_tree(temporary / "tree");
    auto const release = build(temporary / "tree");
    auto const opened = open_manifest(release.manifest_object, release.manifest_digest,
                                      TrustedKeys({key().public_key()}));
    REQUIRE(opened);
    CHECK(*opened == release.manifest);
    CHECK(release.manifest.file_count() == 64);
    for (auto const& entry : release.manifest.entries) {
        if (entry.type != EntryType::file) continue;
        CHECK(sha256(contents_by_manifest(release, entry.path)) == *entry.digest);
    }
    auto const info = open_update_info(seal_update_info(release, {}, WallTime{5}, key()),
                                       TrustedKeys({key().public_key()}));
    REQUIRE(info);
    CHECK(info->builds == std::vector<Build>{release.build()});
    CHECK(info->builds[0].size == release.manifest.content_size());
    CHECK(info->builds[0].manifest_size == Bytes(release.manifest_object.size()));
}

TEST_CASE("the same tree gives the same contents, and with fixed times the same bytes, wherever it lies") {
    test::TemporaryDirectory temporary;
    make_tree(temporary / "one");
    make_tree(temporary / "two");
    put_file(temporary / "two/bin/app", "#!/bin/sh\n", 0755, 99);
    CHECK(build(temporary / "one").contents == build(temporary / "two").contents);
    setenv("SOURCE_DATE_EPOCH", "1000", 1);
    CHECK(build(temporary / "one").manifest_object == build(temporary / "two").manifest_object);
    unsetenv("SOURCE_DATE_EPOCH");
    put_file(temporary / "two/bin/app", "#!/bin/sh\n", 0644, 99);
    CHECK(build(temporary / "one").manifest_digest != build(temporary / "two").manifest_digest);
    CHECK(build(temporary / "one").manifest_digest != build(temporary / "one", request("1.1")).manifest_digest);
}

TEST_CASE("an unchanged tree is published without reading anything but its directories") {
    test::TemporaryDirectory temporary;
    make_tree(temporary / "tree");
    // The kernel's own time of change is now, so only a scan that is later than that by two seconds is believed.
    auto const build_later = [&] {
        auto tree = open_source(temporary / "tree", TopDirectory::keep);
        REQUIRE(tree);
        tree->scanned += 10'000'000'000;
        auto cache = StatCache::load(temporary / "cache", tree->root, CacheBelief::unchanged_files);
        auto release = build_release(*tree, request(), key(), cache, nullptr);
        REQUIRE(release);
        REQUIRE(cache.save());
        return std::move(*release);
    };
    auto const first = build_later();
    CHECK(first.report.files_read == 64);
    CHECK(first.report.files_known == 0);
    CHECK(first.report.segments_read > 0);

    auto const second = build_later();
    CHECK(second.report.files_read == 0);
    CHECK(second.report.files_known == 64);
    CHECK(second.report.segments_read == 0);
    CHECK(second.report.bytes_read == Bytes());
    CHECK(second.manifest_object == first.manifest_object);

    put_file(temporary / "tree/small/7", test::noise(40'000, 777));
    auto const third = build_later();
    CHECK(third.report.files_read == 1);
    CHECK(third.report.segments_read <= 2);
    CHECK(third.manifest_digest != first.manifest_digest);
}

TEST_CASE("files that were just written are read again next time") {
    test::TemporaryDirectory temporary;
    auto const before = std::chrono::system_clock::now().time_since_epoch();
    make_tree(temporary / "tree");
    for (int round = 0; round < 2; ++round) {
        auto tree = open_source(temporary / "tree", TopDirectory::keep);
        REQUIRE(tree);
        tree->scanned = std::chrono::nanoseconds(before).count();  // however long the machine took
        auto cache = StatCache::load(temporary / "cache", tree->root, CacheBelief::unchanged_files);
        auto const release = build_release(*tree, request(), key(), cache, nullptr);
        REQUIRE(release);
        REQUIRE(cache.save());
        CHECK(release->report.files_read == 64);
    }
}

TEST_CASE("a file that changes before its segment is read is noticed") {
    test::TemporaryDirectory temporary;
    make_tree(temporary / "tree");
    auto const release = build(temporary / "tree");
    auto const expect_changed = [&](std::string const& path) {
        for (auto const& entry : release.manifest.entries) {
            if (entry.path != path) continue;
            auto const segment = read_segment(release, *entry.segment);
            REQUIRE_FALSE(segment);
            CHECK(segment.error().fault == Fault::failed);
            CHECK_THAT(segment.error().message, Catch::Contains("changed while being published"));
        }
    };
    put_file(temporary / "tree/large", test::noise(20u << 20, 101));
    expect_changed("large");
    put_file(temporary / "tree/small/3", "short");
    expect_changed("small/3");
    fs::remove(temporary / "tree/small/59");
    expect_changed("small/59");
}

TEST_CASE("every segment can be found by its digest") {
    test::TemporaryDirectory temporary;
    make_tree(temporary / "tree");
    auto const release = build(temporary / "tree");
    for (auto const& segment : release.manifest.segments) {
        auto const found = release.segments.find(segment.digest);
        REQUIRE(found != release.segments.end());
        CHECK(release.manifest.segments[found->second] == segment);
        CHECK(segment.size <= limits::segment);
    }
}

TEST_CASE("a start command must name a program of the tree") {
    test::TemporaryDirectory temporary;
    make_tree(temporary / "tree");
    auto wanted = request();
    StatCache cache;
    wanted.start = {"bin/app", "--flag"};
    CHECK(build(temporary / "tree", wanted).manifest.start == wanted.start);
    wanted.start = {"run"};
    CHECK(try_build(temporary / "tree", cache, wanted));
    for (auto const* wrong : {"bin/none", "large", "bin", "/bin/sh"}) {
        wanted.start = {wrong};
        auto const release = try_build(temporary / "tree", cache, wanted);
        REQUIRE_FALSE(release);
        CHECK_THAT(release.error().message, Catch::Contains(wrong));
    }
}

TEST_CASE("the architecture follows the tree's ELF files unless it is given") {
    auto const native = ArchitectureName::parse("amd64").value();
    auto const choose = [&](std::vector<std::string> const& machines) {
        std::vector<FileFacts> facts;
        for (auto const& machine : machines) facts.push_back({Digest(), machine});
        return choose_architecture(facts, native).text();
    };
    CHECK(choose({"", ""}) == "any");
    CHECK(choose({"", "amd64", "amd64"}) == "amd64");
    CHECK(choose({"arm64", "amd64"}) == "amd64");
    CHECK(choose({"arm64", "", "arm64"}) == "arm64");
    CHECK(choose({"arm64", "riscv64"}) == "any");

    test::TemporaryDirectory temporary;
    put_file(temporary / "tree/script", "#!/bin/sh\n", 0755);
    CHECK(build(temporary / "tree").manifest.architecture.text() == "any");
    auto wanted = request();
    wanted.architecture = ArchitectureName::parse("riscv64").value();
    CHECK(build(temporary / "tree", wanted).manifest.architecture.text() == "riscv64");
}

TEST_CASE("a single file is built as a tree of one") {
    test::TemporaryDirectory temporary;
    put_file(temporary / "tool-1", "#!/bin/sh\n", 0755);
    fs::create_symlink("tool-1", temporary / "tool");
    auto const release = build(temporary / "tool");
    REQUIRE(release.manifest.entries.size() == 1);
    CHECK(release.manifest.entries[0].path == "tool");
    CHECK(release.manifest.entries[0].executable);
    CHECK(contents_by_manifest(release, "tool") == to_buffer(as_view("#!/bin/sh\n")));
}

}  // namespace builder_test
