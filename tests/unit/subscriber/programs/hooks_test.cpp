#include "subscriber/programs/hooks.hpp"

#include "scripted_release.hpp"

namespace lull::subscriber::test::hooks_test {

namespace {

struct Hooked : ScriptedRelease {
    using ScriptedRelease::ScriptedRelease;
    Hooks hooks{loop, node.layout, "root", keep()};

    void run(std::string const& program, HookTime time = HookTime::before, std::uint64_t time_limit = 60) {
        hooks.run({id, Hook{time, program, {"two words"}, time_limit}});
    }
    [[nodiscard]] HookEnded const& ended(std::size_t i = 0) const { return std::get<HookEnded>(told.at(i)); }
    [[nodiscard]] std::string why() const { return ended().status ? "" : ended().status.error().message; }
};

}  // namespace

TEST_CASE("a hook runs in its release, with its arguments and with what it needs to know") {
    Hooked hooked(Tree{{"prepare", "echo \"$1|$LULL_SOFTWARE|$LULL_VERSION|$LULL_ROOT_DIR\" >seen"}});
    hooked.run("prepare");
    CHECK(hooked.told.empty());  // never within the call
    hooked.wait_told(1);
    CHECK(hooked.ended().release == hooked.id);
    CHECK(hooked.ended().status);
    CHECK(hooked.note("seen") == fmt::format("two words|app|1.0|{}\n", hooked.node.layout.tree(hooked.id).string()));
}

TEST_CASE("a hook that fails says which it was, how it ended, and its last words") {
    Hooked hooked(Tree{{"warm", "echo no network; exit 4"}});
    hooked.run("warm", HookTime::after);
    hooked.wait_told(1);
    CHECK_THAT(hooked.why(), Catch::StartsWith("hook warm (after the switch) ended with status 4"));
    CHECK_THAT(hooked.why(), Catch::Contains("no network"));
}

TEST_CASE("a hook that does not end in time, or cannot be started, has failed") {
    Hooked hooked(Tree{{"slow", "sleep 1000"}});
    SECTION("does not end") { hooked.run("slow", HookTime::before, 1); }
    SECTION("is not there") { hooked.run("none"); }
    hooked.wait_told(1);
    CHECK_THAT(hooked.why(), Catch::Contains("(before the switch)"));
}

TEST_CASE("a hook takes the place of one of its software that is going on, of which nothing is told") {
    Hooked hooked(Tree{{"slow", "sleep 1000"}, {"quick", "exit 0"}});
    hooked.run("slow");
    hooked.run("quick");
    hooked.wait_told(1);
    CHECK(hooked.ended().status);
    hooked.run("quick");  // one after the other as well
    hooked.wait_told(2);
    CHECK(hooked.ended(1).status);
}

TEST_CASE("a hook that is going on ends with what has begun it, and tells nothing") {
    ScriptedRelease release(Tree{{"slow", "sleep 1000"}});
    {
        Hooks hooks(release.loop, release.node.layout, "root", release.keep());
        hooks.run({release.id, Hook{HookTime::before, "slow", {}, 1}});
    }
    release.loop.post([&] { release.loop.stop(); });
    run_bounded(release.loop);
    CHECK(release.told.empty());
}

}  // namespace lull::subscriber::test::hooks_test
