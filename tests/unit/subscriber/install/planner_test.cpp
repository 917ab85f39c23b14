#include "subscriber/install/planner.hpp"

#include "fixture.hpp"
#include "subscriber/install/tree_room.hpp"

namespace lull::subscriber::test::planner_test {

namespace {

constexpr Bytes larger_than_disks(std::uint64_t{1} << 42);

// A release of one file, which is a hole but for nothing: its tree takes no room, its object does.
struct LargeObject {
    Node node;
    ReleaseId id = release(1, "1.0");
    Segment segment{sha256(as_view("large")), larger_than_disks};
    OpenedMaterials opened;

    LargeObject() {
        opened.manifest = {id.software, id.version, ArchitectureName::parse("any").value(), {}, {}, {}};
        opened.manifest.segments.push_back(segment);
        Entry file{.path = "file",
                   .size = segment.size,
                   .digest = segment.digest,
                   .segment = 0,
                   .offset = Bytes(),
                   .target = std::nullopt};
        file.data = Bytes();
        opened.manifest.entries.push_back(std::move(file));
    }
    [[nodiscard]] Plan plan() const {
        MakePlan order;
        order.materials.release = id;
        auto made = make_plan(order, opened, node.layout, {Bytes(), MiB(64)});
        REQUIRE(made);
        return *made;
    }
    void has_arrived(Bytes size) const {
        auto const path = node.layout.incoming() / segment.digest.hex();
        write_text(path, "");
        REQUIRE(truncate(path.c_str(), static_cast<off_t>(size.count())) == 0);
    }
};

}  // namespace

TEST_CASE("a plan for which there is too little room names what is to be fetched all the same") {
    LargeObject const large;
    auto const plan = large.plan();
    REQUIRE(plan.no_room);
    CHECK(plan.no_room->fault == Fault::no_space);
    CHECK(plan.no_room->message.find("no room for app 1.0") != std::string::npos);
    CHECK(plan.objects == std::vector{large.segment});
}

TEST_CASE("what has been fetched already is not counted a second time") {
    LargeObject const large;
    large.has_arrived(large.segment.size);
    CHECK_FALSE(large.plan().no_room);
    large.has_arrived(Bytes(large.segment.size.count() / 2));
    CHECK(large.plan().no_room);
}

TEST_CASE("the tree counts as the stager reckons it") {
    Node node;
    auto const made = node.publisher.publish(release(1, "1.0"), {{"bin/", ""}, {"bin/app", "x:p"}, {"empty", ""}});
    auto const room = room_of_tree(made.manifest, Bytes(made.envelope.size()));
    CHECK(room.bytes == KiB(4) + KiB(4) + room_of_file(Bytes(made.envelope.size())));
    CHECK(room.inodes == 3 + 4);
}

}  // namespace lull::subscriber::test::planner_test
