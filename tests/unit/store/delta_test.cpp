#include <catch2/catch.hpp>

#include <random>

#include "store/anchors.hpp"
#include "store/bases.hpp"
#include "store/compression.hpp"
#include "store/delta.hpp"

namespace delta_test {

using namespace lull;
using namespace lull::store;

namespace {

Buffer noise(std::size_t size, std::uint64_t seed = 1) {
    std::mt19937_64 random(seed);
    Buffer bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random() & 0xff);
    return bytes;
}

Segment segment_of(View plain) { return {sha256(plain), Bytes(plain.size())}; }

// The same bytes with some of them changed, and some put in before them.
Buffer next_version(Buffer bytes) {
    for (std::size_t at = 1000; at < bytes.size(); at += 20'000) bytes[at] ^= std::byte{0x55};
    auto const added = noise(500, 7);
    bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 3), added.begin(), added.end());
    return bytes;
}

std::vector<Anchor> anchors_of(View bytes) {
    AnchorFinder finder;
    finder.feed(bytes);
    return finder.anchors();
}

// A release of files with these contents, each a segment of its own.
Manifest release(std::vector<std::pair<std::string, std::string>> const& files) {
    Manifest manifest{
        *SoftwareName::parse("app"), *VersionName::parse("1"), *ArchitectureName::parse("any"), {}, {}, {}};
    for (auto const& [path, contents] : files) {
        auto const digest = sha256(as_view(contents));
        auto const number = static_cast<std::uint32_t>(manifest.segments.size());
        manifest.segments.push_back({digest, Bytes(contents.size())});
        manifest.entries.push_back({.path = path,
                                    .size = Bytes(contents.size()),
                                    .digest = digest,
                                    .segment = number,
                                    .offset = Bytes(),
                                    .target = std::nullopt});
    }
    return manifest;
}

Digest digest_of(std::string_view contents) { return sha256(as_view(contents)); }

}  // namespace

// ---- deltas ----

TEST_CASE("a delta carries what is new, and gives the new bytes back from the old ones") {
    auto const old = noise(1'000'000);
    auto const fresh = next_version(old);
    for (int const level : {quick_level, small_level}) {
        auto const delta = make_delta(old, fresh, level).value();
        CHECK(delta.size() < 3000);
        CHECK(apply_delta(segment_of(fresh), old, delta).value() == fresh);
    }
    auto const alone = make_delta({}, fresh, quick_level).value();
    CHECK(alone.size() > 1'000'000);
    CHECK(apply_delta(segment_of(fresh), {}, alone).value() == fresh);
}

TEST_CASE("with another base, or for another segment, a delta is damaged") {
    auto const old = noise(100'000);
    auto const fresh = next_version(old);
    auto const delta = make_delta(old, fresh, quick_level).value();
    auto other = old;
    other[50'000] ^= std::byte{1};
    CHECK(apply_delta(segment_of(fresh), other, delta).error().fault == Fault::damaged);
    CHECK(apply_delta(segment_of(fresh), View(old).first(90'000), delta).error().fault == Fault::damaged);
    CHECK(apply_delta(segment_of(old), old, delta).error().fault == Fault::damaged);
    CHECK(apply_delta({sha256(fresh), Bytes(fresh.size() - 1)}, old, delta).error().fault == Fault::damaged);
    CHECK(apply_delta({sha256(fresh), MiB(100)}, old, delta).error().fault == Fault::damaged);
}

TEST_CASE("a delta that was changed anywhere gives the right bytes or none") {
    auto const old = noise(20'000);
    auto const fresh = next_version(old);
    auto const delta = make_delta(old, fresh, quick_level).value();
    auto const segment = segment_of(fresh);
    std::size_t refused = 0;
    for (std::size_t at = 0; at < delta.size(); ++at) {
        auto changed = delta;
        changed[at] ^= static_cast<std::byte>(1 + at % 255);
        auto const plain = apply_delta(segment, old, changed);
        if (plain) CHECK(*plain == fresh);
        refused += plain ? 0 : 1;
    }
    CHECK(refused > delta.size() / 2);
    for (std::size_t length = 0; length < delta.size(); length += 7)
        CHECK_FALSE(apply_delta(segment, old, View(delta).first(length)));
}

// ---- anchors ----

TEST_CASE("anchors move with the bytes around them, however a file is fed") {
    auto const bytes = noise(400'000);
    auto const anchors = anchors_of(bytes);
    CHECK(anchors.size() > 50);
    CHECK(anchors.size() < 200);
    auto moved = noise(12'345, 2);
    moved.insert(moved.end(), bytes.begin(), bytes.end());
    AnchorFinder finder;
    for (std::size_t at = 0; at < moved.size(); at += 1000)
        finder.feed(View(moved).subspan(at, std::min<std::size_t>(1000, moved.size() - at)));
    auto const& found = finder.anchors();
    for (auto const& anchor : anchors) {
        auto const same = std::ranges::find(found, anchor.hash, &Anchor::hash);
        REQUIRE(same != found.end());
        CHECK(same->at == anchor.at + 12'345);
    }
}

TEST_CASE("the part of a large old file that a piece comes from is found, wherever it has moved to") {
    auto const old = noise(4'000'000);
    auto const piece = next_version(Buffer(old.begin() + 2'500'000, old.begin() + 3'000'000));
    Bytes const window(600'000);
    auto const begin = locate(anchors_of(old), Bytes(old.size()), anchors_of(piece), 0.1, window);
    CHECK(begin <= Bytes(2'510'000));
    CHECK(begin + window >= Bytes(2'990'000));
}

TEST_CASE("without anything in common the part is taken that lies at the same place, and never beyond the end") {
    auto const old = anchors_of(noise(1'000'000));
    auto const piece = anchors_of(noise(100'000, 3));
    CHECK(locate(old, Bytes(1'000'000), piece, 0.5, Bytes(200'000)) == Bytes(475'000));
    CHECK(locate(old, Bytes(1'000'000), piece, 1.0, Bytes(200'000)) == Bytes(800'000));
    CHECK(locate(old, Bytes(100'000), piece, 1.0, Bytes(200'000)) == Bytes(0));
}

TEST_CASE("a file that was renamed and changed is known by its contents, a new one is like none") {
    auto const one = noise(300'000, 4);
    auto const two = noise(300'000, 5);
    auto const alike = most_alike({anchors_of(one), anchors_of(two)},
                                  {anchors_of(next_version(two)), anchors_of(noise(300'000, 6))});
    REQUIRE(alike.size() == 2);
    CHECK(alike[0] == std::optional<std::size_t>(1));
    CHECK_FALSE(alike[1]);
}

// ---- bases ----

TEST_CASE("a base is the file of the same path, else of the same name and nearest in size, else what it is like") {
    auto const from = release(
        {{"a", "contents of a"}, {"lib/x", "short"}, {"lib2/x", "much longer than that"}, {"old-name", "twin"}});
    auto const to = release(
        {{"a", "contents of a, changed"}, {"new/x", "much longer than this"}, {"new-name", "twin?"}, {"other", "?"}});
    auto const lacking = find_bases(from, to, {{digest_of("twin?"), digest_of("twin")}});
    REQUIRE(lacking.size() == 4);
    auto const base = [&](std::size_t i) {
        return lacking[i].base.empty() ? std::optional<Digest>() : from.entries.at(lacking[i].base.at(0).entry).digest;
    };
    CHECK(base(0) == digest_of("contents of a"));
    CHECK(base(1) == digest_of("much longer than that"));
    CHECK(base(2) == digest_of("twin"));
    CHECK_FALSE(base(3));
    auto const strangers = find_strangers(from, to);
    CHECK(strangers.gone == std::vector{digest_of("twin")});
    CHECK(strangers.fresh == std::vector{digest_of("twin?"), digest_of("?")});
}

TEST_CASE("what the old release has under any path is not lacking") {
    auto const from = release({{"a", "contents"}, {"b", "more"}});
    CHECK(find_bases(from, release({{"moved/a", "contents"}, {"b", "more"}}), {}).empty());
}

TEST_CASE("a file that is too large to be a base is to be narrowed down, with the place of the segment in it") {
    auto from = release({{"app", "old"}});
    from.entries[0].size = MiB(64);
    auto to = release({{"app", "new"}});
    to.entries[0].size = MiB(32);
    to.segments = {{digest_of("first"), MiB(16)}, {digest_of("second"), MiB(16)}};
    auto const lacking = find_bases(from, to, {});
    REQUIRE(lacking.size() == 2);
    CHECK(lacking[1].to_locate);
    CHECK(lacking[1].relative_place == 0.5);
    CHECK(lacking[1].base == std::vector{BaseRange{0, {}, {}}});
}

}  // namespace delta_test
