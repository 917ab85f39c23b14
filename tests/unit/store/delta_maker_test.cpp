#include "store/delta_maker.hpp"

#include <catch2/catch.hpp>

#include <random>

#include "store/address_delta.hpp"
#include "tests/unit/store/program.hpp"

namespace delta_maker_test {

using namespace lull;
using namespace lull::store;

namespace {

std::string noise(std::size_t size, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::string text(size, ' ');
    for (auto& c : text) c = static_cast<char>(random() & 0xff);
    return text;
}

// A release in memory: files one behind the other, cut into segments of one size.
struct Made {
    Manifest manifest{
        *SoftwareName::parse("app"), *VersionName::parse("1"), *ArchitectureName::parse("any"), {}, {}, {}};
    std::vector<Buffer> segments;
    mutable std::size_t reads = 0;

    Made(std::vector<std::pair<std::string, std::string>> const& files, std::size_t cut) {
        std::string stream;
        for (auto const& [path, contents] : files) {
            Entry entry;
            entry.path = path;
            entry.size = Bytes(contents.size());
            entry.digest = sha256(as_view(contents));
            entry.segment = static_cast<std::uint32_t>(stream.size() / cut);
            entry.offset = Bytes(stream.size() % cut);
            manifest.entries.push_back(entry);
            stream += contents;
        }
        for (std::size_t at = 0; at < stream.size(); at += cut) {
            segments.push_back(to_buffer(as_view(std::string_view(stream).substr(at, cut))));
            manifest.segments.push_back({sha256(segments.back()), Bytes(segments.back().size())});
        }
    }
    [[nodiscard]] ReleaseContents contents() const {
        return {manifest, [this](std::uint32_t segment) -> Result<Buffer> {
                    ++reads;
                    return segments.at(segment);
                }};
    }
};

}  // namespace

TEST_CASE("parts of files are read from the segments that they lie in") {
    auto const a = noise(2500, 1);
    auto const b = noise(700, 2);
    Made const made({{"a", a}, {"b", b}}, 1000);
    auto contents = made.contents();
    CHECK(as_text(contents.read({{0, {}, {}}}).value()) == a);
    CHECK(as_text(contents.read({{1, {}, {}}, {0, Bytes(900), Bytes(200)}}).value()) == b + a.substr(900, 200));
    CHECK(as_text(contents.read({{1, Bytes(699), {}}}).value()) == b.substr(699));
    CHECK(contents.read({{1, Bytes(700), {}}}).value().empty());
    CHECK(contents.read({{2, {}, {}}}).error().fault == Fault::damaged);
    CHECK(contents.segment(9).error().fault == Fault::damaged);
}

TEST_CASE("neighbours are read from their segment once, and anchors are found once") {
    std::vector<std::pair<std::string, std::string>> files;
    for (int i = 0; i < 50; ++i) files.emplace_back(fmt::format("{:02}", i), noise(20, static_cast<std::uint64_t>(i)));
    Made const made(files, 1000);
    auto contents = made.contents();
    for (std::uint32_t i = 0; i < 50; ++i) REQUIRE(contents.read({{i, {}, {}}}));
    CHECK(made.reads == 1);
    Made const large({{"large", noise(100'000, 3)}}, 1000);
    auto one = large.contents();
    auto const anchors = one.anchors(0).value();
    CHECK_FALSE(anchors.empty());
    auto const reads = large.reads;
    CHECK(one.anchors(0).value().size() == anchors.size());
    CHECK(large.reads == reads);
}

TEST_CASE("every segment that is lacking gets a delta, and what comes out is the new release") {
    auto const library = noise(300'000, 4);
    auto changed = library;
    changed.insert(100'000, "some more");
    auto const moved = noise(50'000, 5);
    Made const from({{"lib", library}, {"old-name", moved}, {"same", noise(5000, 6)}}, 100'000);
    Made const to({{"fresh", noise(400, 7)}, {"lib", changed}, {"new-name", moved + "!"}, {"same", noise(5000, 6)}},
                  100'000);
    DeltaMaker maker(from.contents(), to.contents());
    auto const lacking = maker.find_lacking().value();
    CHECK(lacking.size() == to.segments.size());
    auto old = from.contents();
    PatchBuilder builder(sha256(as_view("1")), sha256(as_view("2")));
    std::size_t objects = 0;
    for (auto const& needed : lacking) {
        REQUIRE_FALSE(needed.base.empty());
        auto made = maker.make(needed, small_level).value();
        CHECK(made.frame.size() < 1500);
        auto const base = old.read(made.base).value();
        CHECK(apply_delta(to.manifest.segments[needed.segment], base, made.frame).value() ==
              to.segments[needed.segment]);
        objects += builder.add(std::move(made)) ? 1 : 0;
    }
    CHECK(objects == 0);  // they are small enough to stand in the patch
    CHECK(builder.to_fetch() == Bytes(0));
    CHECK(decode_patch(encode(builder.patch())));
}

TEST_CASE("each piece of a program gets a delta that foresees addresses, wherever its headers are") {
    test::Program const before(1, {});
    test::Program const after(1, {.grown = 100});
    std::string const app(as_text(before.bytes()));
    std::string const changed(as_text(after.bytes()));
    Made const from({{"a", noise(3000, 10)}, {"app", app}, {"z", noise(500, 11)}}, 40'000);
    Made const to({{"a", noise(2900, 12)}, {"app", changed}, {"z", noise(600, 13)}}, 40'000);
    DeltaMaker maker(from.contents(), to.contents());
    auto old = from.contents();
    std::size_t of_programs = 0;
    auto const lacking = maker.find_lacking().value();
    for (auto const& needed : lacking) {
        auto const made = maker.make(needed, small_level).value();
        auto const quick = maker.make(needed, quick_level).value();
        CHECK_FALSE(is_address_delta(quick.frame));
        auto const& segment = to.manifest.segments[needed.segment];
        CHECK(apply_delta(segment, old.read(made.base).value(), made.frame).value() == to.segments[needed.segment]);
        if (!is_address_delta(made.frame)) continue;
        ++of_programs;
        CHECK(made.frame.size() * 2 < quick.frame.size() + 4000);
    }
    CHECK(of_programs == to.segments.size());
}

TEST_CASE("a large frame becomes an object of its own, stored raw under its digest") {
    PatchBuilder builder(sha256(as_view("1")), sha256(as_view("2")));
    auto const frame = to_buffer(as_view(noise(5000, 8)));
    auto const object = builder.add({3, {{0, {}, {}}}, frame});
    REQUIRE(object);
    CHECK(object->shape.object == sha256(frame));
    CHECK(object->shape.codec == ObjectCodec::raw);
    CHECK(object->bytes == frame);
    builder.add_whole(5, {sha256(as_view("segment")), ObjectCodec::zstd, Bytes(50), Bytes(100)});
    CHECK(builder.to_fetch() == Bytes(5050));
    CHECK(builder.patch().steps.at(1).object == sha256(as_view("segment")));
}

TEST_CASE("a delta that is being made stops when it is told to") {
    auto const text = noise(400'000, 9);
    Made const from({{"a", text}}, 400'000);
    Made const to({{"a", text + "more"}}, 500'000);
    DeltaMaker maker(from.contents(), to.contents());
    std::stop_source stop;
    stop.request_stop();
    auto const stopped = maker.make(maker.find_lacking().value().at(0), small_level, stop.get_token());
    CHECK(stopped.error().fault == Fault::cancelled);
}

}  // namespace delta_maker_test
