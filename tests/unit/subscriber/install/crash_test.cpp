#include <sys/ptrace.h>

#include <csignal>

#include "fixture.hpp"
#include "subscriber/install/switch_current.hpp"
#include "subscriber/tree/tree_check.hpp"

// Kills a process at every single system call of some work, and looks at what is left.

namespace lull::subscriber::test::crash_test {

namespace {

enum class Ended { by_itself, killed, untraceable };

// Runs `work` in a child and kills the child as it enters its system call number `last` (from 1).
template <class Work>
Ended run_and_kill(int last, Work work) {
    auto const child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(2);
        raise(SIGSTOP);
        work();
        _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    if (!WIFSTOPPED(status)) return Ended::untraceable;
    REQUIRE(ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) == 0);
    constexpr int at_system_call = SIGTRAP | 0x80;
    // Stops come in pairs: entry and exit.
    for (int stops = 0; stops < 2 * last - 1;) {
        REQUIRE(ptrace(PTRACE_SYSCALL, child, nullptr, nullptr) == 0);
        REQUIRE(waitpid(child, &status, 0) == child);
        if (!WIFSTOPPED(status)) {
            CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
            return Ended::by_itself;
        }
        if (WSTOPSIG(status) == at_system_call) ++stops;
    }
    REQUIRE(kill(child, SIGKILL) == 0);
    REQUIRE(waitpid(child, &status, 0) == child);
    return Ended::killed;
}

// Calls `attempt(n)` for n = 1, 2, ... until the work was not killed any more; gives the number of kills.
template <class Attempt>
int kill_everywhere(Attempt attempt) {
    for (int last = 1;; ++last) {
        auto const ended = attempt(last);
        if (ended == Ended::untraceable) {
            WARN("skipped: processes cannot be traced here");
            return -1;
        }
        if (ended == Ended::by_itself) return last - 1;
    }
}

}  // namespace

TEST_CASE("killed at any system call of staging, the next try completes and leaves nothing over") {
    Node node(7);
    auto const old = node.install(1, "1.0", {{"same", "unchanged contents"}});
    auto job = node.job(release(2, "2.0"), {{"bin/", ""}, {"bin/app", "x:a program"}, {"same", "unchanged contents"}});
    job.base = &node.base(old);
    int finished_before = 0;
    auto const kills = kill_everywhere([&](int last) {
        auto const work = [&] { static_cast<void>(stage(job, node.layout, node.objects, Bytes(0))); };
        auto const ended = run_and_kill(last, work);
        // What bears the final name is complete, whenever the end came.
        if (fs::exists(node.layout.tree(job.release))) {
            ++finished_before;
            CHECK(verify_tree(node.layout, job.release, job.manifest).value().empty());
            CHECK(load_manifest(node.layout, job.release, node.publisher.trusted()));
            CHECK(fs::exists(node.layout.lock(job.release)));
        }
        auto const again = stage(job, node.layout, node.objects, Bytes(0));
        CHECK(again);
        CHECK(verify_tree(node.layout, job.release, job.manifest).value().empty());
        auto const versions = fs::directory_iterator(node.layout.versions(old.software));
        CHECK(std::distance(versions, fs::directory_iterator()) == 2);
        fs::remove_all(node.layout.tree(job.release));
        fs::remove(node.layout.manifest(job.release));
        fs::remove(node.layout.lock(job.release));
        return ended;
    });
    if (kills < 0) return;
    CHECK(kills > 100);
    CHECK(finished_before > 1);
}

TEST_CASE("killed at any system call of a switch, current leads to the old version or to the new one") {
    Node node;
    auto const old = node.install(1, "1.0", {{"data", "old"}});
    auto const fresh = node.install(2, "2.0", {{"data", "new"}});
    int old_seen = 0;
    int new_seen = 0;
    auto const kills = kill_everywhere([&](int last) {
        REQUIRE(switch_current(node.layout, old));
        auto const ended = run_and_kill(last, [&] { static_cast<void>(switch_current(node.layout, fresh)); });
        auto const current = node.layout.current(old.software);
        REQUIRE(current);
        old_seen += *current == old ? 1 : 0;
        new_seen += *current == fresh ? 1 : 0;
        CHECK((*current == old || *current == fresh));
        return ended;
    });
    if (kills < 0) return;
    CHECK(old_seen > 1);
    CHECK(new_seen > 1);
}

TEST_CASE("killed at any system call of removing a version, the next call removes the rest") {
    Node node;
    auto const current = node.install(2, "2.0", {{"data", "new"}});
    REQUIRE(switch_current(node.layout, current));
    auto const old = release(1, "1.0");
    auto const job = node.job(old, {{"bin/", ""}, {"bin/app", "x:program"}});
    // The look through /proc before it takes thousands of calls; what matters begins once the tree has been renamed.
    REQUIRE(stage(job, node.layout, node.objects, Bytes(0)));
    auto const garbage = node.layout.garbage(old);
    auto const kills = kill_everywhere([&](int last) {
        REQUIRE(stage(job, node.layout, node.objects, Bytes(0)));
        fs::rename(node.layout.tree(old), garbage);
        auto const ended = run_and_kill(
            last, [&] { static_cast<void>(remove_superseded(node.layout, old.software, {current})); });
        CHECK(remove_superseded(node.layout, old.software, {current}));
        CHECK_FALSE(fs::exists(garbage));
        CHECK_FALSE(fs::exists(node.layout.manifest(old)));
        CHECK_FALSE(fs::exists(node.layout.lock(old)));
        CHECK(contents_of(node.layout.current_link(old.software) / "data") == "new");
        return ended;
    });
    if (kills < 0) return;
    CHECK(kills > 10);
}

}  // namespace lull::subscriber::test::crash_test
