#include "subscriber/programs/holder_stopper.hpp"

#include <sys/stat.h>

#include <csignal>

#include "fixture.hpp"
#include "running.hpp"
#include "subscriber/proc/process_stat.hpp"

namespace lull::subscriber::test::holder_stopper_test {

namespace {

using namespace std::chrono_literals;

Holder holder_of(std::uint64_t pid) {
    Holder holder;
    holder.pid = pid;
    holder.command = "app";
    holder.since = read_process_stat("/proc", pid).value().value().started;
    return holder;
}

struct Stopping {
    EventLoop loop;
    HolderStopper stopper{loop};
    SoftwareName app = software("app");

    std::vector<StoppedHolder> stop(std::vector<Holder> const& holders, Duration grace = 60s) {
        std::optional<std::vector<StoppedHolder>> result;
        stopper.stop(app, holders, grace, [&](std::vector<StoppedHolder> got) {
            result = std::move(got);
            loop.stop();
        });
        CHECK_FALSE(result);  // never within the call
        run_bounded(loop);
        return *result;
    }
};

std::unique_ptr<Child> start(std::string const& how) {
    auto child = std::make_unique<Child>(std::vector<std::string>{TEST_PROGRAM, how});
    child->wait_ready();
    return child;
}

// A process does not count as ended before its parent has heard of it, which the destructor of Child sees to.
bool is_killed(std::uint64_t pid) {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

}  // namespace

TEST_CASE("holders that end when they are asked to are not killed, and how long it took is told") {
    Stopping stopping;
    auto const one = start("wait");
    auto const two = start("wait");
    auto const stopped = stopping.stop({holder_of(one->pid()), holder_of(two->pid())});
    REQUIRE(stopped.size() == 2);
    CHECK(stopped[0].holder.pid == one->pid());
    for (auto const& each : stopped) {
        CHECK(each.end == HolderEnd::ended);
        CHECK(each.took < 30s);
    }
    CHECK(is_killed(one->pid()));
    CHECK(to_text(stopped[0]) == fmt::format("pid {} (app) ended 0 s after SIGTERM", one->pid()));
}

TEST_CASE("a holder that does not end within the grace is killed; those that did are told apart") {
    Stopping stopping;
    auto const deaf = start("deaf");
    auto const good = start("wait");
    auto const stopped = stopping.stop({holder_of(deaf->pid()), holder_of(good->pid())}, 200ms);
    CHECK(stopped.at(0).end == HolderEnd::killed);
    CHECK(stopped[0].took >= 200ms);
    CHECK(stopped.at(1).end == HolderEnd::ended);
    CHECK(is_killed(deaf->pid()));
}

TEST_CASE("a holder that is stopped gets to see that it is to end") {
    Stopping stopping;
    auto const child = start("wait");
    kill(static_cast<pid_t>(child->pid()), SIGSTOP);
    CHECK(stopping.stop({holder_of(child->pid())}).at(0).end == HolderEnd::ended);
}

TEST_CASE("who is gone already, or is another process under the holder's pid, is not signalled") {
    Stopping stopping;
    auto const other = start("wait");
    auto stranger = holder_of(other->pid());
    stranger.since.micros -= 1'000'000;
    auto const ended = start("wait");
    auto const gone = holder_of(ended->pid());
    SECTION("reaped") { ended->finish(); }
    SECTION("not reaped") {
        ended->end_input();
        siginfo_t info{};
        REQUIRE(waitid(P_PID, static_cast<id_t>(ended->pid()), &info, WEXITED | WNOWAIT) == 0);
    }
    auto const stopped = stopping.stop({gone, stranger});
    CHECK(stopped.at(0).end == HolderEnd::gone);
    CHECK(stopped.at(1).end == HolderEnd::gone);
    CHECK_FALSE(is_killed(other->pid()));
    CHECK(other->finish() == 0);
}

TEST_CASE("this process, the first process, a thread of the kernel and pids that do not exist are never signalled") {
    Stopping stopping;
    std::vector<Holder> holders = {holder_of(static_cast<std::uint64_t>(getpid())), holder_of(1)};
    auto nobody = holders[0];
    for (std::uint64_t const pid : {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{0xffff'ffff}}) {
        nobody.pid = pid;
        holders.push_back(nobody);
    }
    if (auto const kthreadd = read_process_stat("/proc", 2); kthreadd && *kthreadd && (*kthreadd)->kernel_thread) {
        holders.push_back(holder_of(2));
    } else {
        WARN("skipped in part: no thread of the kernel can be seen here");
    }
    for (auto const& stopped : stopping.stop(holders)) {
        CAPTURE(stopped.holder.pid);
        CHECK(stopped.end == HolderEnd::refused);
        CHECK_FALSE(stopped.why.empty());
    }
    // SIGTERM would have ended the test here.
    CHECK_FALSE(read_process_stat("/proc", static_cast<std::uint64_t>(getpid())).value()->kernel_thread);
}

TEST_CASE("a holder of somebody else is refused at once, with what it would take") {
    if (geteuid() != 0) {
        WARN("skipped: only root can become another user");
        return;
    }
    auto const victim = start("wait");
    auto const holder = holder_of(victim->pid());
    auto const child = fork();
    if (child == 0) {
        if (setgid(65534) != 0 || setuid(65534) != 0) _exit(3);
        EventLoop loop;
        HolderStopper stopper(loop);
        bool good = false;
        stopper.stop(software("app"), {holder}, 60s, [&](std::vector<StoppedHolder> const& stopped) {
            good = stopped.at(0).end == HolderEnd::refused && stopped[0].why.find("CAP_KILL") != std::string::npos;
            loop.stop();
        });
        loop.run();
        _exit(good ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WEXITSTATUS(status) == 0);
    CHECK_FALSE(is_killed(victim->pid()));
}

TEST_CASE("nobody to stop is told on the loop as well") {
    Stopping stopping;
    CHECK(stopping.stop({}).empty());
}

TEST_CASE("after letting go nobody is killed, and nothing is told") {
    Stopping stopping;
    auto const deaf = start("deaf");
    auto const silence = [](std::vector<StoppedHolder> const&) { FAIL("nobody wants to know"); };
    SECTION("of one software") {
        stopping.stopper.stop(stopping.app, {holder_of(deaf->pid())}, 50ms, silence);
        stopping.stopper.let_go(stopping.app);
        stopping.stopper.let_go(software("other"));
    }
    SECTION("by the end of the stopper") {
        HolderStopper other(stopping.loop);
        other.stop(stopping.app, {holder_of(deaf->pid())}, 50ms, silence);
    }
    SECTION("by another stop of the same software") {
        stopping.stopper.stop(stopping.app, {holder_of(deaf->pid())}, 50ms, silence);
        CHECK(stopping.stop({}).empty());
    }
    stopping.loop.after(150ms, [&] { stopping.loop.stop(); });
    run_bounded(stopping.loop);
    CHECK_FALSE(is_killed(deaf->pid()));
    CHECK(deaf->finish() == 0);
}

TEST_CASE("two pieces of software are stopped independently, and a stopper may end in its own handler") {
    EventLoop loop;
    std::optional<HolderStopper> stopper;
    stopper.emplace(loop);
    auto const one = start("wait");
    auto const deaf = start("deaf");
    stopper->stop(software("other"), {holder_of(deaf->pid())}, 60s, [](auto const&) { FAIL("it goes on"); });
    stopper->stop(software("app"), {holder_of(one->pid())}, 60s, [&](auto const&) {
        stopper.reset();
        loop.stop();
    });
    run_bounded(loop);
    CHECK_FALSE(stopper);
    CHECK_FALSE(is_killed(deaf->pid()));
}

}  // namespace lull::subscriber::test::holder_stopper_test
