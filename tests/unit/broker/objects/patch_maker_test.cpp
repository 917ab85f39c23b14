#include "broker/objects/patch_maker.hpp"

#include <catch2/catch.hpp>

#include "schema/envelope.hpp"
#include "tests/unit/broker/objects/object_bench.hpp"

namespace patch_maker_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

// A release whose files are segments of their own, stored as a publisher sends it.
struct Release {
    Manifest manifest{
        *SoftwareName::parse("app"), *VersionName::parse("1"), *ArchitectureName::parse("any"), {}, {}, {}};
    Digest object;  // the manifest

    Release(ObjectFiles& files, std::vector<Buffer> const& contents) {
        for (std::uint32_t i = 0; i < contents.size(); ++i) {
            Bytes const size(contents[i].size());
            Entry file;
            file.path = fmt::format("file-{}", i);
            file.size = size;
            file.digest = sha256(contents[i]);
            file.segment = i;
            file.offset = Bytes(0);
            manifest.entries.push_back(file);
            manifest.segments.push_back({sha256(contents[i]), size});
            if (!files.packs->find(sha256(contents[i]))) files.put(contents[i]);
        }
        auto const envelope = encode(seal(encode(manifest), domain::manifest, SigningKey::generate()));
        object = sha256(envelope);
        files.put(envelope);
    }
};

Buffer changed(Buffer bytes, std::size_t every) {
    for (std::size_t at = 0; at < bytes.size(); at += every) bytes[at] ^= std::byte{1};
    return bytes;
}

// Makes the patch; the loop runs until it is made.
Result<MadePatch> make(ObjectFiles& files, PatchId const& id, Effort effort) {
    ObjectThreads threads(files);
    PatchMaker maker(threads.loop, *files.packs, threads.object_writer, effort);
    Result<MadePatch> outcome = fail(Fault::failed, "not made");
    threads.loop.post([&] {
        maker.make(id, [&](Result<MadePatch> made) {
            outcome = std::move(made);
            threads.loop.stop();
        });
    });
    threads.loop.run();
    return outcome;
}

// What a node with the old release has after the patch: one buffer for each new segment that a step has a base for.
std::vector<Buffer> apply(ObjectFiles& files, MadePatch const& made, Manifest const& old, Manifest const& fresh) {
    auto const patch = decode_patch(files.packs->read_plain(made.object, MiB(16)).value()).value();
    store::ReleaseContents contents(
        old, [&](std::uint32_t segment) { return files.packs->read_plain(old.segments.at(segment).digest, MiB(64)); });
    std::vector<Buffer> plain;
    for (auto const& step : patch.steps) {
        if (step.base.empty()) continue;
        auto const frame = step.object ? files.packs->read_plain(*step.object, MiB(64)).value() : step.frame.value();
        plain.push_back(
            store::apply_delta(fresh.segments.at(step.segment), contents.read(step.base).value(), frame).value());
    }
    return plain;
}

}  // namespace

TEST_CASE("a patch leads from what a node has to the new release, with each effort, and is there after a restart") {
    ObjectFiles files(KiB(256), 2);  // the segments lie in more packs than may be open
    auto const first = noise(200'000, 1);
    auto const second = noise(150'000, 2);
    auto const same = noise(100'000, 3);
    Release const old(files, {first, second, same});
    auto const new_first = changed(first, 1000);
    auto const new_second = changed(second, 3000);
    Release const fresh(files, {new_first, new_second, same, noise(50'000, 4)});
    auto const effort = GENERATE(Effort::quick, Effort::thorough);
    auto const made = make(files, {old.object, fresh.object}, effort);
    REQUIRE(made);
    CHECK(made->to_fetch < Bytes(100'000));
    CHECK(made->whole > Bytes(490'000));
    files.reopen();
    for (auto const& delta : made->deltas) CHECK(files.packs->find(delta));
    CHECK(apply(files, *made, old.manifest, fresh.manifest) == std::vector{new_first, new_second});
}

TEST_CASE("a patch of which a segment or a manifest is not here is a failure, and the next one is made") {
    ObjectFiles files;
    auto const first = noise(20'000, 1);
    Release const old(files, {first});
    Release const fresh(files, {changed(first, 1000)});
    CHECK(make(files, {sha256(as_view("?")), fresh.object}, Effort::quick).error().fault == Fault::not_found);
    CHECK(make(files, {old.object, fresh.object}, Effort::quick));
    files.packs->forget(sha256(first));
    CHECK(make(files, {old.object, fresh.object}, Effort::quick).error().fault == Fault::not_found);
}

TEST_CASE("a pack that was cut while a patch is made is a failure of the patch only") {
    ObjectFiles files;
    auto const first = noise(200'000, 1);
    Release const old(files, {first});
    Release const fresh(files, {changed(first, 1000)});
    fs::resize_file(files.pack(1), 100'000);
    auto const made = make(files, {old.object, fresh.object}, Effort::quick);
    REQUIRE_FALSE(made);
    CHECK(made.error().fault == Fault::damaged);
}

TEST_CASE("the end of a maker that is at work stops it, and reports nothing") {
    ObjectFiles files;
    auto const first = words(3'000'000, 1);
    Release const old(files, {first});
    Release const fresh(files, {changed(first, 50)});
    ObjectThreads threads(files);
    bool reported = false;
    {
        PatchMaker maker(threads.loop, *files.packs, threads.object_writer, Effort::thorough);
        threads.loop.post([&] {
            maker.make({old.object, fresh.object}, [&](Result<MadePatch> const&) { reported = true; });
            threads.loop.after(std::chrono::milliseconds(50), [&] { threads.loop.stop(); });
        });
        threads.loop.run();
    }
    threads.loop.post([&] { threads.loop.stop(); });
    threads.loop.run();
    CHECK_FALSE(reported);
}

}  // namespace patch_maker_test
