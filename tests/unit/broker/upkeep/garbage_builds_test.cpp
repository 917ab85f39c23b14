#include <catch2/catch.hpp>

#include "broker_fixture.hpp"

namespace garbage_builds_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

TEST_CASE("garbage collection asks what each build of a release needs") {
    World world;
    auto release = make_release("app", "1", {{"a", 1000}});
    auto other = make_release("app", "1", {{"b", 1000}, {"c", 1000}});
    other.manifest.architecture = architecture("arm64");
    other.info.builds[0].architecture = architecture("arm64");
    release.info.builds.push_back(other.info.builds[0]);
    release.offer.builds = release.info.builds;

    world.from_publisher(release.offer);
    for (auto const* build : {&release, &other}) {
        world.put(build->manifest_shape);
        world.on(ManifestOpened{World::at_publisher, build->manifest_shape.object, build->manifest});
    }
    for (auto const* name : {"a", "b", "c"}) world.put(raw_shape(name, 1000));
    world.finish(world.update(release));
    REQUIRE(world.broker.state().release_log.head() == Seq{1});
    world.publish(make_release("tool", "1", {{"d", 1000}}));

    std::vector<ListNeeded> asked;
    for (int hour = 0; hour < 3 && asked.empty(); ++hour) {
        asked = all<ListNeeded>(world.on(Tick{}));
        world.pass(std::chrono::hours(1));
    }
    REQUIRE(asked.size() == 1);
    std::set<Digest> const manifests(asked[0].manifests.begin(), asked[0].manifests.end());
    CHECK(manifests == std::set{release.manifest_shape.object, other.manifest_shape.object,
                                make_release("tool", "1", {{"d", 1000}}).manifest_shape.object});
}

}  // namespace garbage_builds_test
