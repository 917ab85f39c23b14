#include <sys/stat.h>

#include <csignal>

#include "scripted_release.hpp"
#include "subscriber/proc/process_stat.hpp"
#include "subscriber/programs/health_checks.hpp"
#include "subscriber/programs/hooks.hpp"
#include "subscriber/programs/use_control.hpp"

// What runs for a release is cancelled: nothing of it goes on, nothing is killed that was to live, and the end is told.

namespace lull::subscriber::test::cancel_test {

namespace {

using namespace std::chrono_literals;

// A script that does what is given when SIGTERM comes, with a process in a session of its own.
std::string lasting(std::string const& at_term) {
    return "trap '" + at_term +
           "' TERM\nsetsid sleep 1000 & echo $! >other\necho $$ >self\nwhile :; do sleep 0.05; done";
}

struct Cancelling : ScriptedRelease {
    explicit Cancelling(std::string const& at_term) : ScriptedRelease(Tree{{"lasting", lasting(at_term)}}) {}
    HealthChecks checks{loop, node.layout, "root", keep()};
    Hooks hooks{loop, node.layout, "root", keep()};

    // Runs the loop until the script has begun.
    void wait_started() {
        std::function<void()> const look = [&] {
            if (!note("self").empty()) return loop.stop();
            loop.after(5ms, look);
        };
        look();
        run_bounded(loop);
    }
    [[nodiscard]] bool is_gone(std::string const& which) const {
        auto const stat = read_process_stat("/proc", std::stoull(note(which))).value();
        return !stat;
    }
};

Holder holder_of(Child const& child) {
    Holder holder;
    holder.pid = child.pid();
    holder.command = "app";
    holder.since = read_process_stat("/proc", child.pid()).value().value().started;
    return holder;
}

bool lives(Child const& child) {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(child.pid()), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

}  // namespace

TEST_CASE("a health check that is cancelled gets SIGTERM, and is told as cancelled when all of it has ended") {
    Cancelling test("echo got it >said; exit 0");
    test.checks.check({test.id, HealthCheck{"lasting", {}, 60, 5, 0}});
    test.wait_started();
    test.checks.cancel(test.id.software);
    test.wait_told(1);
    CHECK(std::get<HealthFound>(test.told.at(0)).status.error().fault == Fault::cancelled);
    CHECK(test.note("said") == "got it\n");
    CHECK(test.is_gone("self"));
    CHECK(test.is_gone("other"));
    test.checks.cancel(test.id.software);  // once more does nothing
}

TEST_CASE("a program that is cancelled and ignores SIGTERM is killed, with all that it started") {
    Cancelling test("");
    SECTION("a health check") {
        test.checks.check({test.id, HealthCheck{"lasting", {}, 60, 1, 0}});
        test.wait_started();
        test.checks.cancel(test.id.software);
        test.wait_told(1);
        CHECK(std::get<HealthFound>(test.told.at(0)).status.error().fault == Fault::cancelled);
    }
    SECTION("a hook") {
        test.hooks.run({test.id, Hook{HookTime::before, "lasting", {}, 60}});
        test.wait_started();
        test.hooks.cancel(test.id.software);
        test.wait_told(1);
        CHECK(std::get<HookEnded>(test.told.at(0)).status.error().fault == Fault::cancelled);
    }
    CHECK(test.is_gone("self"));
    CHECK(test.is_gone("other"));
}

TEST_CASE("a health check that pauses between two tries is cancelled at once") {
    Cancelling test("");
    test.checks.check({test.id, HealthCheck{"none", {}, 60, 5, 3600}});
    test.loop.after(50ms, [&] { test.checks.cancel(test.id.software); });
    test.wait_told(1);
    CHECK(std::get<HealthFound>(test.told.at(0)).status.error().fault == Fault::cancelled);
}

TEST_CASE("what was to be ended and ignores SIGTERM lives on when that is cancelled; who has ended is named") {
    Node node{1 << 20};
    auto const id = node.install(1, "1.0", {{"app", program_contents()}});
    EventLoop loop;
    Log log("test", LogLevel::error);
    std::vector<Event> told;
    UseControl control(loop, node.layout, log, [&](Event event) {
        told.push_back(std::move(event));
        loop.stop();
    });
    Child deaf({node.layout.tree(id) / "app", "deaf"});
    deaf.wait_ready();
    Child good({node.layout.tree(id) / "app", "wait"});
    good.wait_ready();
    control.end({id, {holder_of(deaf), holder_of(good)}, 300ms, {}});
    siginfo_t info{};
    REQUIRE(waitid(P_PID, static_cast<id_t>(good.pid()), &info, WEXITED | WNOWAIT) == 0);
    control.cancel_end(id.software);
    CHECK(told.empty());
    run_bounded(loop);
    auto const what = std::get<UseEnded>(told.at(0)).what;
    CHECK_THAT(what, Catch::Contains(fmt::format("pid {} (app) had not ended", deaf.pid())));
    CHECK_THAT(what, Catch::Contains(fmt::format("pid {} (app) ended", good.pid())));
    // The grace is over, and nothing else comes.
    loop.after(500ms, [&] { loop.stop(); });
    loop.run();
    CHECK(lives(deaf));
    CHECK(told.size() == 1);

    // Control: without the cancel the same process is killed.
    control.end({id, {holder_of(deaf)}, 100ms, {}});
    run_bounded(loop);
    CHECK_FALSE(lives(deaf));
}

TEST_CASE("a cancel with nothing to cancel tells nothing") {
    Cancelling test("");
    Log log("test", LogLevel::error);
    UseControl control(test.loop, test.node.layout, log, test.keep());
    control.cancel_end(test.id.software);
    control.cancel_start(test.id.software);
    test.checks.cancel(test.id.software);
    test.hooks.cancel(test.id.software);
    test.loop.after(10ms, [&] { test.loop.stop(); });
    test.loop.run();
    CHECK(test.told.empty());
}

}  // namespace lull::subscriber::test::cancel_test
