#include <catch2/catch.hpp>

#include "fixture.hpp"
#include "running.hpp"
#include "subscriber/disk/manifest_files.hpp"
#include "subscriber/install/installer.hpp"
#include "subscriber/tree/tree_check.hpp"

// A release that goes back to an older one is made of what is left of that, on a real disk.

namespace lull::subscriber::test::going_back_test {

namespace {

Tree example() { return {{"bin/", ""}, {"bin/app", "x:" + std::string(2500, 'p')}, {"data", std::string(1600, '1')}}; }

// Release 1 is installed, and release 3 goes back to it.
struct GoingBack {
    Node node;
    Publisher::Release const older = node.publisher.publish(release(1, "1.0"), example());
    ReleaseId const id = install_older();
    ReleaseId const back = release(3, "1.0+back-2");
    EventLoop loop;
    TreeAccess access;
    std::optional<Event> told;
    Installer installer{loop, node.layout, settings(node), access, [this](Event event) {
                            told = std::move(event);
                            loop.stop();
                        }};

    ReleaseId install_older() {
        auto const installed = release(1, "1.0");
        StageJob job{installed, older.manifest, older.envelope, {}};
        for (auto const& [digest, object] : older.objects) {
            REQUIRE(node.objects.write(digest, Bytes(0), object.bytes));
            job.objects.emplace(digest, object.shape);
        }
        REQUIRE(stage(job, node.layout, node.objects, Bytes(0)));
        return installed;
    }
    static InstallerSettings settings(Node const& node) {
        InstallerSettings made;
        made.trusted = node.publisher.trusted();
        return made;
    }
    // Nothing was fetched.
    [[nodiscard]] Materials materials(std::optional<ReleaseId> seed) const {
        return {back, sha256(older.envelope), std::move(seed), {}};
    }
    PlanMade plan(std::optional<ReleaseId> seed) {
        installer.plan({materials(std::move(seed))});
        run_bounded(loop);
        return std::get<PlanMade>(*told);
    }
    StageEnded make_tree(std::optional<ReleaseId> seed) {
        installer.stage({materials(std::move(seed))});
        run_bounded(loop);
        return std::get<StageEnded>(*told);
    }
};

}  // namespace

TEST_CASE("with the older release here there is nothing to fetch, and its tree is made of that") {
    GoingBack going;
    auto const made = going.plan(going.id);
    REQUIRE(made.plan);
    CHECK(made.plan->objects.empty());
    auto const staged = going.make_tree(going.id);
    if (!staged.status) FAIL(staged.status.error().message);
    CHECK(contents_of(going.node.layout.tree(going.back) / "bin/app") == std::string(2500, 'p'));
    CHECK(load_manifest(going.node.layout, going.back, going.node.publisher.trusted()).value() == going.older.manifest);
    CHECK(verify_tree(going.node.layout, going.back, going.older.manifest).value().empty());
    going.installer.switch_to({going.back}, [] {});
    run_bounded(going.loop);
    CHECK(std::get<SwitchEnded>(*going.told).status);
    CHECK(going.node.layout.current(going.back.software).value() == going.back);
}

TEST_CASE("where nothing is left of the older release, or its manifest is damaged, the plan says so") {
    GoingBack going;
    SECTION("nothing is left") { fs::remove_all(going.node.layout.manifest(going.id)); }
    SECTION("its manifest is damaged") { write_text(going.node.layout.manifest(going.id), "no manifest"); }
    CHECK(going.plan(going.id).plan.error().fault == Fault::damaged);
    auto const staged = going.make_tree(going.id);
    CHECK_FALSE(staged.status);
    REQUIRE(staged.refetch.size() == 1);
    CHECK(staged.refetch[0].digest == sha256(going.older.envelope));
}

TEST_CASE("what is damaged of the older release is named, to be fetched, and nothing is installed") {
    GoingBack going;
    auto const data = going.node.layout.tree(going.id) / "data";
    fs::permissions(data, fs::perms(0644));
    write_text(data, std::string(1600, '2'));
    auto const staged = going.make_tree(going.id);
    CHECK_FALSE(staged.status);
    CHECK_FALSE(staged.refetch.empty());
    CHECK(staged.refetch.size() < going.older.manifest.segments.size());
    CHECK_FALSE(fs::exists(going.node.layout.tree(going.back)));
}

TEST_CASE("an older release under another name than its own is not staged") {
    GoingBack going;
    StageJob job{release(3, "2.0+back-2"), going.older.manifest, going.older.envelope, {}};
    CHECK_FALSE(stage(job, going.node.layout, going.node.objects, Bytes(0)));
    job.release = release(3, "1.0+back-x");
    CHECK_FALSE(stage(job, going.node.layout, going.node.objects, Bytes(0)));
}

}  // namespace lull::subscriber::test::going_back_test
