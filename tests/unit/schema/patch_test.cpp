#include "schema/patch.hpp"

#include <catch2/catch.hpp>

#include "samples.hpp"

namespace patch_test {

using namespace lull;

namespace {

Digest digest_of(std::string_view text) { return sha256(as_view(text)); }

Step delta(std::uint32_t segment) {
    return {segment, {{0, Bytes(5), Bytes(10)}}, digest_of("delta"), std::nullopt, Bytes(7)};
}
Step inside(std::uint32_t segment) {
    return {segment, {{0, {}, {}}}, std::nullopt, to_buffer(as_view("frame")), Bytes()};
}

Patch sample() { return {digest_of("old"), digest_of("new"), to_buffer(as_view("manifest")), {delta(0), inside(3)}}; }

// An old release with a file of 100 bytes and a directory.
Manifest old_release() {
    Manifest manifest;
    Entry file;
    file.path = "bin/app";
    file.size = Bytes(100);
    Entry directory;
    directory.path = "lib";
    directory.type = EntryType::directory;
    manifest.entries = {file, directory};
    return manifest;
}

}  // namespace

TEST_CASE("a patch is what it was after a way over the wire") {
    CHECK(decode_patch(encode(sample())).value() == sample());
}

TEST_CASE("a patch that breaks a rule is damaged") {
    auto patch = sample();
    SECTION("steps out of order") { std::swap(patch.steps[0], patch.steps[1]); }
    SECTION("a segment twice") { patch.steps[1].segment = 0; }
    SECTION("neither object nor frame") { patch.steps[0].object.reset(); }
    SECTION("both") { patch.steps[0].frame = Buffer(); }
    SECTION("more than an object may have") { patch.steps[0].size = limits::stored_object + Bytes(1); }
    auto const decoded = decode_patch(encode(patch));
    REQUIRE_FALSE(decoded);
    CHECK(decoded.error().fault == Fault::damaged);
}

TEST_CASE("a patch that was changed or cut anywhere is damaged or another patch, and nothing worse") {
    auto const good = encode(sample());
    for (std::size_t at = 0; at < good.size(); ++at) {
        CHECK_FALSE(decode_patch(View(good).first(at)));
        for (unsigned change : {0x01U, 0x80U, 0xffU}) {
            auto bytes = good;
            bytes[at] ^= static_cast<std::byte>(change);
            auto const decoded = decode_patch(bytes);
            if (decoded) CHECK(encode(*decoded).size() <= limits::patch.count());
        }
    }
}

TEST_CASE("what lies in a base is bounded by the file that it is in, and by what a delta may refer to") {
    auto const old = old_release();
    CHECK(length_of(BaseRange{0, {}, {}}, old) == Bytes(100));
    CHECK(length_of(BaseRange{0, Bytes(40), {}}, old) == Bytes(60));
    CHECK(length_of(BaseRange{0, Bytes(40), Bytes(60)}, old) == Bytes(60));
    CHECK(length_of(BaseRange{0, Bytes(100), {}}, old) == Bytes(0));
    std::vector<BaseRange> const bad = {
        {0, Bytes(40), Bytes(61)},   {0, Bytes(101), {}},        {0, {}, Bytes(101)}, {1, {}, {}}, {2, {}, {}},
        {0, Bytes(~0ULL), Bytes(2)}, {0, Bytes(2), Bytes(~0ULL)}};
    for (auto const& range : bad) CHECK(length_of(range, old).error().fault == Fault::damaged);
    CHECK(length_of(std::vector<BaseRange>(3, BaseRange{0, {}, {}}), old) == Bytes(300));
    std::vector<BaseRange> const often(limits::delta_base.count() / 100 + 1, BaseRange{0, {}, {}});
    CHECK(length_of(often, old).error().fault == Fault::damaged);
}

TEST_CASE("a step whose object is the segment itself is no delta") {
    Manifest to;
    to.segments = {{digest_of("delta"), Bytes(7)}, {digest_of("other"), Bytes(7)}};
    CHECK_FALSE(is_delta(delta(0), to));
    CHECK(is_delta(delta(1), to));
    CHECK(is_delta(inside(0), to));
}

}  // namespace patch_test
