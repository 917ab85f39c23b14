#include <sys/stat.h>

#include "fixture.hpp"
#include "tests/support/hostile_manifests.hpp"

namespace lull::subscriber::test::hostile_staging_test {

namespace {

// A node that lies deep in a directory of which everything can be seen.
struct DeepNode {
    lull::test::TemporaryDirectory directory;
    Layout layout{directory.path() / "one/two/three/root"};
    ObjectFiles objects{layout.incoming()};
    Publisher publisher;
    ReleaseId id = release(1, "1.0");

    DeepNode() {
        REQUIRE(layout.prepare());
        REQUIRE(layout.prepare(id.software));
    }

    [[nodiscard]] Publisher::Release honest() const {
        auto made = publisher.publish(id, {{"bin/", ""},
                                           {"bin/app", "x:" + std::string(1500, 'p')},
                                           {"bin/run", "->app"},
                                           {"data", std::string(300, 'd')},
                                           {"lib/", ""},
                                           {"lib/deep/", ""},
                                           {"lib/deep/data", std::string(400, 'e')},
                                           {"lib/deep/up", "->../../bin/app"},
                                           {"lib/empty", ""},
                                           {"lib/root", "->.."}});
        made.manifest.start = {"bin/app"};
        publisher.seal_again(made);
        return made;
    }
    // All objects are there: nothing but the manifest can be in the way.
    [[nodiscard]] StageJob job(Publisher::Release const& made, Manifest manifest) {
        StageJob result{id, std::move(manifest), made.envelope, {}};
        for (auto const& [digest, object] : made.objects) result.objects.emplace(digest, object.shape);
        return result;
    }

    // Every path, with all that lstat(2) says of it but when it was read.
    [[nodiscard]] std::map<std::string, std::string> surroundings() const {
        std::map<std::string, std::string> seen;
        for (auto const& entry : fs::recursive_directory_iterator(directory.path())) {
            struct stat status {};
            REQUIRE(lstat(entry.path().c_str(), &status) == 0);
            seen[entry.path()] = fmt::format("{} {:o} {} {}.{} {}.{}", status.st_ino, status.st_mode, status.st_size,
                                             status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec,
                                             status.st_ctim.tv_nsec);
        }
        return seen;
    }
};

}  // namespace

TEST_CASE(
    "no hostile manifest makes a node write anything, anywhere; the honest one is staged, and writes below its "
    "software only") {
    DeepNode node;
    auto const made = node.honest();
    for (auto const& [digest, object] : made.objects) REQUIRE(node.objects.write(digest, Bytes(0), object.bytes));
    auto const before = node.surroundings();
    std::size_t refused = 0;
    for (auto const& hostile : lull::test::hostile_manifests(made.manifest)) {
        if (!hostile.manifest) continue;
        CAPTURE(hostile.group, hostile.what);
        auto const staged = stage(node.job(made, *hostile.manifest), node.layout, node.objects, Bytes(0));
        REQUIRE_FALSE(staged);
        CHECK(staged.error().error.fault == Fault::refused);
        CHECK(staged.error().damaged.empty());
        CHECK(staged.error().missing.empty());
        if (hostile.group != "head") CHECK(staged.error().error.message.find(hostile.reason) != std::string::npos);
        CHECK(node.surroundings() == before);
        ++refused;
    }
    CHECK(refused >= 300);

    REQUIRE(stage(node.job(made, made.manifest), node.layout, node.objects, Bytes(0)));
    auto const own = node.layout.software(node.id.software).string();
    for (auto const& [path, facts] : node.surroundings()) {
        auto const known = before.find(path);
        bool const same = known != before.end() && known->second == facts;
        CAPTURE(path);
        CHECK((same || path.starts_with(own + "/")));
    }
}

}  // namespace lull::subscriber::test::hostile_staging_test
