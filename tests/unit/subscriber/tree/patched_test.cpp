#include "subscriber/tree/patched.hpp"

#include <fstream>

#include "fixture.hpp"
#include "store/delta_maker.hpp"
#include "subscriber/disk/manifest_files.hpp"

namespace patched_test {

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;

namespace {

// A node with release 1, and release 2 as a patch from there, as a broker makes it.
struct Case {
    Node node{200'000};
    Tree old_tree{
        {"bin/", ""}, {"bin/app", "x:" + text(100'000, 'a')}, {"same", text(1000, 'b')}, {"data", text(150'000, 'c')}};
    Tree new_tree = changed(old_tree);
    ReleaseId const old = node.install(1, "1.0", old_tree);
    StageJob job = node.job(release(2, "2.0"), new_tree);
    Patch patch;
    ObjectShape shape;

    Case() {
        auto const& base = node.base(old);
        auto const from = contents(base.manifest(), old_tree);
        auto const to = contents(job.manifest, new_tree);
        store::DeltaMaker maker(from, to);
        store::PatchBuilder builder(sha256(base.manifest_object()), sha256(job.manifest_envelope));
        builder.set_manifest(*store::make_delta(base.manifest_object(), job.manifest_envelope, store::quick_level));
        auto const all = maker.find_lacking().value();
        for (auto const& lacking : all) {
            auto const object = builder.add(maker.make(lacking, store::quick_level).value());
            if (object) keep(*object);
        }
        patch = builder.patch();
        REQUIRE_FALSE(patch.steps.empty());
        job.objects.clear();
        save(patch);
    }

    // Text that does not repeat itself, so that a delta is needed.
    static std::string text(std::size_t size, char seed) {
        std::string text;
        for (std::size_t i = 0; text.size() < size; ++i) text += fmt::format("{}{} ", seed, i * 2654435761U % 1000003);
        text.resize(size);
        return text;
    }
    static Tree changed(Tree tree) {
        tree["bin/app"].insert(50'000, "changed");
        tree["data"] += "and more";
        return tree;
    }
    // The contents of the fixture's trees, by path.
    static store::ReleaseContents contents(Manifest const& manifest, Tree const& tree) {
        std::string stream;
        for (auto const& [path, text] : tree) stream += text.starts_with("x:") ? text.substr(2) : text;
        return {manifest, [manifest, stream](std::uint32_t segment) -> Result<Buffer> {
                    std::size_t begin = 0;
                    for (std::uint32_t i = 0; i < segment; ++i) begin += manifest.segments[i].size.count();
                    return to_buffer(
                        as_view(std::string_view(stream).substr(begin, manifest.segments[segment].size.count())));
                }};
    }
    void keep(store::StoredObject const& object) {
        REQUIRE(node.objects.write(object.shape.object, Bytes(), object.bytes));
        job.objects[object.shape.object] = object.shape;
    }
    void save(Patch const& changed_patch) {
        auto const object = store::pack_object(encode(changed_patch), store::quick_level);
        shape = object.shape;
        REQUIRE(node.objects.write(shape.object, Bytes(), object.bytes));
    }
    Result<Patched> open() { return Patched::open(shape, node.objects, InstalledBase::open(node.layout, old).value()); }
};

}  // namespace

TEST_CASE("a release is staged from the one before and a patch, and nothing else") {
    Case update;
    auto const patched = update.open();
    if (!patched) FAIL(patched.error().message);
    CHECK(patched->manifest_object().value() == update.job.manifest_envelope);
    update.job.base = &patched->base();
    update.job.patched = &*patched;
    auto const report = stage(update.job, update.node.layout, update.node.objects, Bytes(0));
    if (!report) FAIL(report.error().error.message);
    CHECK(contents_of(update.node.layout.tree(update.job.release) / "data") == update.new_tree["data"]);
}

TEST_CASE("where the base was changed a whole segment is asked for, and takes its place") {
    Case update;
    auto const whole = update.node.job(release(2, "2.0"), update.new_tree);
    auto const patched = update.open();
    REQUIRE(patched);
    update.job.base = &patched->base();
    update.job.patched = &*patched;
    auto const victim = update.node.layout.tree(update.old) / "data";
    SECTION("other bytes") { std::fstream(victim).seekp(70'000) << "tampered"; }
    SECTION("a byte more") { std::ofstream(victim, std::ios::app) << "!"; }
    SECTION("gone") { fs::remove(victim); }
    auto const failed = stage(update.job, update.node.layout, update.node.objects, Bytes(0));
    REQUIRE_FALSE(failed);
    CHECK(failed.error().damaged.empty());
    REQUIRE_FALSE(failed.error().missing.empty());
    CHECK_FALSE(fs::exists(update.node.layout.tree(update.job.release)));
    for (auto const& digest : failed.error().missing) update.job.objects.insert(*whole.objects.find(digest));
    REQUIRE(stage(update.job, update.node.layout, update.node.objects, Bytes(0)));
    CHECK(contents_of(update.node.layout.tree(update.job.release) / "data") == update.new_tree["data"]);
}

TEST_CASE("a delta that gives other bytes is found out, whatever it is") {
    Case update;
    auto& step = update.patch.steps.front();
    SECTION("rubbish") { step.frame = to_buffer(as_view("rubbish")); }
    SECTION("another segment's") { step.frame = store::make_delta({}, as_view("other"), store::quick_level); }
    SECTION("another base") { step.base = {{1, {}, Bytes(10)}}; }
    step.object.reset();
    if (!step.frame) step.frame = Buffer();
    step.size = Bytes();
    update.save(update.patch);
    auto const patched = update.open();
    REQUIRE(patched);
    update.job.base = &patched->base();
    update.job.patched = &*patched;
    auto const failed = stage(update.job, update.node.layout, update.node.objects, Bytes(0));
    REQUIRE_FALSE(failed);
    CHECK(failed.error().missing == std::vector{update.job.manifest.segments.at(step.segment).digest});
}

TEST_CASE("a patch for another release, or one that gives no manifest, is of no use") {
    Case update;
    SECTION("another release") {
        update.patch.from = sha256(as_view("another"));
        update.save(update.patch);
        CHECK(update.open().error().fault == Fault::damaged);
    }
    SECTION("no manifest") {
        update.patch.manifest = to_buffer(as_view("rubbish"));
        update.save(update.patch);
        CHECK(update.open().value().manifest_object().error().fault == Fault::damaged);
    }
    SECTION("a manifest of any size") {
        update.patch.manifest = *store::make_delta({}, Buffer(limits::envelope.count() + 1), store::quick_level);
        update.save(update.patch);
        CHECK(update.open().value().manifest_object().error().fault == Fault::damaged);
    }
    SECTION("damaged on the disk") {
        REQUIRE(update.node.objects.write(update.shape.object, Bytes(3), as_view("?")));
        CHECK(update.open().error().fault == Fault::damaged);
    }
}

TEST_CASE("what a step takes in memory is base, segment, frame, and what a delta for programs needs beside them") {
    Case update;
    auto const patched = update.open();
    REQUIRE(patched);
    auto const& step = patched->patch().steps.front();
    auto const base = length_of(step.base, patched->base().manifest()).value();
    auto const& segment = update.job.manifest.segments.at(step.segment);
    auto const frame = step.frame ? Bytes(step.frame->size()) : step.size;
    CHECK(patched->memory_for(step, segment).value() == store::memory_to_apply(base, segment.size, frame));
    CHECK(patched->step_for(step.segment) == &step);
    CHECK(patched->step_for(99) == nullptr);
}

}  // namespace patched_test
