#include "subscriber/programs/health_checks.hpp"

#include "scripted_release.hpp"

namespace lull::subscriber::test::health_checks_test {

namespace {

// Of one release, by its program of this name; it may try as often as is said.
struct Checking : ScriptedRelease {
    using ScriptedRelease::ScriptedRelease;
    HealthChecks checks{loop, node.layout, "root", keep()};

    void begin(std::string const& program, std::uint64_t tries = 1, std::uint64_t time_limit = 60) {
        checks.check({id, HealthCheck{program, {"--quick"}, time_limit, tries, 0}});
    }
    [[nodiscard]] HealthFound const& found(std::size_t i = 0) const { return std::get<HealthFound>(told.at(i)); }
    [[nodiscard]] std::string why(std::size_t i = 0) const {
        return found(i).status ? "" : found(i).status.error().message;
    }
};

}  // namespace

TEST_CASE("a release works whose health check ends with 0, and the check is told what it checks") {
    Checking checking(Tree{{"check", "echo \"$1 $LULL_SOFTWARE $LULL_VERSION $LULL_ROOT_DIR\" >seen"}});
    checking.begin("check");
    CHECK(checking.told.empty());  // never within the call
    checking.wait_told(1);
    CHECK(checking.found().release == checking.id);
    CHECK(checking.found().status);
    CHECK(checking.note("seen") ==
          fmt::format("--quick app 1.0 {}\n", checking.node.layout.tree(checking.id).string()));
}

TEST_CASE("a health check may fail as often as it has tries, and counts when it succeeds once") {
    Checking checking(Tree{{"check", "echo x >>tries; [ $(wc -l <tries) -eq 3 ]"}});
    checking.begin("check", 3);
    checking.wait_told(1);
    CHECK(checking.found().status);
    CHECK(checking.note("tries") == "x\nx\nx\n");
}

TEST_CASE("a release does not work whose health check fails each time, and its last words are told") {
    Checking checking(Tree{{"check", "echo x >>tries; echo no display; exit 3"}});
    checking.begin("check", 2);
    checking.wait_told(1);
    CHECK(checking.note("tries") == "x\nx\n");
    CHECK_THAT(checking.why(), Catch::StartsWith("health check check ended with status 3"));
    CHECK_THAT(checking.why(), Catch::Contains("no display") && Catch::Contains("(2 tries)"));
}

TEST_CASE("a health check that does not end, or cannot be started, is one that fails") {
    Checking checking(Tree{{"slow", "sleep 1000"}});
    SECTION("does not end") { checking.begin("slow", 1, 1); }
    SECTION("is not there") { checking.begin("none"); }
    checking.wait_told(1);
    CHECK_FALSE(checking.found().status);
    CHECK_FALSE(checking.why().empty());
}

TEST_CASE("a check takes the place of one that is going on, of which nothing is told") {
    Checking checking(Tree{{"slow", "sleep 1000"}, {"check", "exit 0"}});
    checking.begin("slow");
    checking.begin("check");
    checking.wait_told(1);
    CHECK(checking.found().status);
}

TEST_CASE("checks that are going on end with what has begun them, and tell nothing") {
    ScriptedRelease release(Tree{{"slow", "sleep 1000"}});
    {
        HealthChecks checks(release.loop, release.node.layout, "root", release.keep());
        checks.check({release.id, HealthCheck{"slow", {}, 1, 1, 0}});
    }
    release.loop.post([&] { release.loop.stop(); });
    run_bounded(release.loop);
    CHECK(release.told.empty());
}

}  // namespace lull::subscriber::test::health_checks_test
