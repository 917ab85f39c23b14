#include "subscriber/usage/use_lock.hpp"

#include <thread>

#include "fixture.hpp"
#include "running.hpp"

namespace lull::subscriber::test::use_lock_test {

namespace {

struct LockFile {
    LockFile() { write_text(path, ""); }
    lull::test::TemporaryDirectory directory;
    fs::path path = directory / "lock";

    // Whether somebody has it.
    [[nodiscard]] bool taken() const {
        auto const lock = UseLock::try_exclusive(path);
        REQUIRE(lock);
        return !lock->has_value();
    }
};

}  // namespace

TEST_CASE("shared locks go together, an exclusive one goes with none") {
    LockFile file;
    CHECK_FALSE(file.taken());
    auto one = UseLock::shared(file.path);
    auto two = UseLock::shared(file.path);
    REQUIRE(one);
    REQUIRE(two);
    CHECK(file.taken());
    one = UseLock::shared(file.path);
    { auto const gone = *std::move(one); }
    CHECK(file.taken());
    { auto const gone = *std::move(two); }
    CHECK_FALSE(file.taken());
    auto const exclusive = UseLock::try_exclusive(file.path);
    REQUIRE(exclusive->has_value());
    CHECK(file.taken());
}

TEST_CASE("an exclusive lock ends with its guard even while a forked child has the descriptor") {
    LockFile file;
    auto lock = UseLock::try_exclusive(file.path).value();
    REQUIRE(lock);
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    auto const child = fork();
    if (child == 0) {
        close(ends[1]);
        char letter = 0;
        while (read(ends[0], &letter, 1) > 0) {}
        _exit(0);
    }
    close(ends[0]);
    lock.reset();
    CHECK_FALSE(file.taken());
    close(ends[1]);
    waitpid(child, nullptr, 0);
}

TEST_CASE("a shared lock lives on in children and grandchildren and ends with the last of them") {
    LockFile file;
    Child child({TEST_PROGRAM, "grandchild", file.path});
    child.wait_ready();
    // The one that took the lock, and its child, have ended.
    CHECK(file.taken());
    EventLoop loop;
    bool got = false;
    UseWaiter const waiter(loop, file.path, [&](Result<UseLock> lock) {
        got = lock.has_value();
        loop.stop();
    });
    CHECK_FALSE(got);
    child.end_input();  // which ends the grandchild
    run_bounded(loop);
    CHECK(got);
}

TEST_CASE("the waiter gets the lock when the last user ends, and keeps it until it is let go") {
    LockFile file;
    Child one({TEST_PROGRAM, "lock", file.path});
    Child two({TEST_PROGRAM, "lock", file.path});
    one.wait_ready();
    two.wait_ready();
    EventLoop loop;
    std::optional<UseLock> held;
    UseWaiter const waiter(loop, file.path, [&](Result<UseLock> lock) {
        REQUIRE(lock);
        held = *std::move(lock);
        loop.stop();
    });
    CHECK(one.finish() == 0);
    loop.post([&] { loop.stop(); });
    run_bounded(loop);
    CHECK_FALSE(held);  // one of two still has it
    CHECK(two.finish() == 0);
    run_bounded(loop);
    REQUIRE(held);
    CHECK(file.taken());
    held.reset();
    CHECK_FALSE(file.taken());
}

TEST_CASE("a waiter that is dropped stops at once, says nothing, and leaves no lock") {
    LockFile file;
    Child holder({TEST_PROGRAM, "lock", file.path});
    holder.wait_ready();
    EventLoop loop;
    int calls = 0;
    // Often: the end may come before the thread waits, while it waits, or in between.
    for (int i = 0; i < 300; ++i) {
        UseWaiter const waiter(loop, file.path, [&](Result<UseLock> const&) { ++calls; });
    }
    CHECK(holder.finish() == 0);
    CHECK_FALSE(file.taken());
    // Got on the thread, but dropped before the loop could hand it over.
    for (int i = 0; i < 300; ++i) {
        UseWaiter const waiter(loop, file.path, [&](Result<UseLock> const&) { ++calls; });
        if (i % 2 == 0) {
            while (!file.taken()) std::this_thread::yield();
        }
    }
    CHECK_FALSE(file.taken());
    loop.post([&] { loop.stop(); });
    run_bounded(loop);
    CHECK(calls == 0);
}

TEST_CASE("a waiter may be dropped by its own handler") {
    LockFile file;
    EventLoop loop;
    std::optional<UseWaiter> waiter;
    bool got = false;
    waiter.emplace(loop, file.path, [&](Result<UseLock> lock) {
        got = lock.has_value();
        waiter.reset();
        loop.stop();
    });
    run_bounded(loop);
    CHECK(got);
    CHECK_FALSE(file.taken());
}

TEST_CASE("waiting for a lock file that is not there is reported to the loop") {
    LockFile file;
    EventLoop loop;
    std::optional<Fault> fault;
    UseWaiter const waiter(loop, file.path / "not", [&](Result<UseLock> lock) {
        if (!lock) fault = lock.error().fault;
        loop.stop();
    });
    run_bounded(loop);
    CHECK(fault.has_value());
}

TEST_CASE("a lock tells whether the name still leads to its file") {
    LockFile file;
    auto const lock = UseLock::shared(file.path);
    REQUIRE(lock);
    CHECK(lock->is_on(file.path));
    fs::rename(file.path, file.directory / "old");
    CHECK_FALSE(lock->is_on(file.path));
    write_text(file.path, "");
    CHECK_FALSE(lock->is_on(file.path));
}

}  // namespace lull::subscriber::test::use_lock_test
