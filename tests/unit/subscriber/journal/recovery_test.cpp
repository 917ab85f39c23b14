#include "subscriber/journal/recovery.hpp"

#include "fixture.hpp"
#include "subscriber/disk/object_files.hpp"

namespace lull::subscriber::test::recovery_test {

namespace {

constexpr std::string_view this_boot = "0b0c";

// A node that was killed while it fetched an object of 1,000 bytes.
struct Killed {
    Node node;
    store::Environment journal = journal::open(node.layout, journal::Access::write).value();
    ObjectShape const shape{sha256(as_view("object")), ObjectCodec::raw, Bytes(1000), Bytes(1000)};

    // The journal knows that so much is durable, or nothing of the object; so much lies in the file.
    Killed(std::optional<std::uint64_t> durable, std::uint64_t written, std::string_view last_boot = this_boot,
           bool complete = false) {
        store::Batch batch{journal::put_boot(last_boot)};
        if (durable) batch.push_back(journal::put(ObjectRecord{shape, Bytes(*durable), complete}));
        REQUIRE(journal.apply(batch));
        if (written > 0) REQUIRE(ObjectFiles(node.layout.incoming()).write(shape.object, Bytes(), Buffer(written)));
    }

    // What counts after the next start; nothing: the object is not known.
    std::optional<Bytes> start() {
        auto state = journal::load(journal).value();
        REQUIRE(reconcile(state, journal, node.layout, this_boot));
        auto const again = journal::load(journal).value();
        CHECK(again.boot == this_boot);
        CHECK(again.objects == state.objects);
        auto const known = state.objects.find(shape.object);
        if (known == state.objects.end()) return std::nullopt;
        return known->second.durable;
    }
    [[nodiscard]] bool has_file() const { return fs::exists(node.layout.incoming() / shape.object.hex()); }
};

}  // namespace

TEST_CASE("what a killed process had written counts, but for the last byte") {
    CHECK(Killed(300, 700).start() == Bytes(700));
    CHECK(Killed(0, 700).start() == Bytes(700));
    CHECK(Killed(300, 300).start() == Bytes(300));
    CHECK(Killed(300, 1000).start() == Bytes(999));
    CHECK(Killed(300, 5000).start() == Bytes(999));
    CHECK(Killed(1000, 1000, this_boot, true).start() == Bytes(1000));
}

TEST_CASE("after a start of the machine only what was durable counts") {
    CHECK(Killed(300, 700, "another").start() == Bytes(300));
    CHECK(Killed(0, 700, "another").start() == Bytes(0));
    CHECK(Killed(300, 700, "").start() == Bytes(300));
}

TEST_CASE("records without their bytes and files without a record go") {
    CHECK(Killed(300, 200).start() == std::nullopt);
    Killed unknown(std::nullopt, 700);
    CHECK(unknown.start() == std::nullopt);
    CHECK_FALSE(unknown.has_file());
}

}  // namespace lull::subscriber::test::recovery_test
