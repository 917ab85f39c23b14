#include <sys/mount.h>
#include <sys/wait.h>

#include "fixture.hpp"
#include "running.hpp"
#include "subscriber/install/switch_current.hpp"
#include "subscriber/usage/usage_monitor.hpp"

// Where it cannot be found out who uses a version, it is never called free; and its lock is given back after a switch.

namespace lull::subscriber::test::unknown_use_test {

namespace {

struct Monitored {
    Node node{1 << 20};
    ReleaseId id = node.install(1, "1.0", {{"app", "x:program"}, {"data", "contents"}});
    EventLoop loop;
    std::vector<Event> told;
    UsageMonitor monitor{loop, node.layout, [this](Event event) {
                             told.push_back(std::move(event));
                             loop.stop();
                         }};

    UseFound probe() {
        told.clear();
        monitor.probe({id});
        if (told.empty()) run_bounded(loop);
        return std::get<UseFound>(told.back());
    }
    [[nodiscard]] bool is_locked() const { return !UseLock::try_exclusive(node.layout.lock(id)).value(); }
};

// Runs a check in a process with mounts of its own; skips where that is not possible. The check returns what to report,
// "" if all is well.
template <class Check>
void with_own_mounts(Check check) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    auto const child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        bool const own = unshare(CLONE_NEWNS) == 0 && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
        std::string const text = own ? check() : "skipped";
        static_cast<void>(!write(ends[1], text.data(), text.size()));
        _exit(0);
    }
    close(ends[1]);
    std::string text;
    char letter = 0;
    while (read(ends[0], &letter, 1) == 1) text += letter;
    close(ends[0]);
    waitpid(child, nullptr, 0);
    if (text == "skipped") {
        WARN("skipped: mounts of one's own need root");
        return;
    }
    CHECK(text == "");
}

std::string described(UseFound const& found, bool locked) {
    return fmt::format("answer {}, {} holders, locked {}, why '{}'", static_cast<int>(found.answer),
                       found.holders.size(), locked, found.why);
}

}  // namespace

TEST_CASE("without /proc the use of a version is unknown and never free, and nothing stays locked") {
    with_own_mounts([]() -> std::string {
        Monitored test;
        if (mount("tmpfs", "/proc", "tmpfs", 0, nullptr) != 0) return "skipped";
        auto const found = test.probe();
        bool const right = found.answer == UseAnswer::unknown && !found.why.empty() && !test.is_locked();
        return right ? "" : described(found, test.is_locked());
    });
}

TEST_CASE("without leases and without /proc the use of a version is unknown and never free") {
    with_own_mounts([]() -> std::string {
        Monitored test;
        // An overlay knows no write leases on what lies in its lower directory.
        auto const tree = test.node.layout.tree(test.id);
        auto const upper = test.node.directory.path() / "upper";
        auto const work = test.node.directory.path() / "work";
        fs::create_directories(upper);
        fs::create_directories(work);
        if (mount("tmpfs", "/proc", "tmpfs", 0, nullptr) != 0) return "skipped";
        auto const options = fmt::format("lowerdir={},upperdir={},workdir={}", tree.string(), upper.string(),
                                         work.string());
        static_cast<void>(mount("overlay", tree.c_str(), "overlay", 0, options.c_str()));
        auto const found = test.probe();
        bool const right = found.answer == UseAnswer::unknown && !found.why.empty() && !test.is_locked();
        return right ? "" : described(found, test.is_locked());
    });
}

TEST_CASE("control: with /proc the same version is free, and stays locked until it is let go") {
    Monitored test;
    CHECK(test.probe().answer == UseAnswer::free);
    CHECK(test.is_locked());
    REQUIRE(switch_current(test.node.layout, test.id));
    test.monitor.let_go(test.id.software);  // what the daemon does when a switch has ended
    CHECK_FALSE(test.is_locked());
}

}  // namespace lull::subscriber::test::unknown_use_test
