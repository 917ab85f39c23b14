#include "publisher/tree/scratch_directory.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/unit/publisher/trees.hpp"

namespace scratch_directory_test {

using namespace lull;
using namespace lull::publisher;

namespace {

std::size_t entries_of(fs::path const& directory) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

// How a process ends that has a scratch directory with a file in it when this signal comes.
int end_by(int signal_number, fs::path const& parent) {
    auto const child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        signal(signal_number, SIG_DFL);  // the test's program has a handler
        sigset_t none;                   // and other tests may have blocked it
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, nullptr);
        auto const directory = ScratchDirectory::make(parent);
        if (directory) test::put_file(directory->path() / "deep/file", "contents");
        kill(getpid(), signal_number);
        _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    return status;
}

// What a process leaves that is killed while it has a scratch directory with a file in it.
void leave_behind(fs::path const& parent) {
    auto const child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        auto const directory = ScratchDirectory::make(parent);
        if (directory) test::put_file(directory->path() / "deep/file", "contents");
        kill(getpid(), SIGKILL);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
}

}  // namespace

TEST_CASE("a scratch directory is private and removed with its owner") {
    test::TemporaryDirectory const place;
    {
        auto const directory = ScratchDirectory::make(place.path());
        REQUIRE(directory);
        CHECK((fs::status(directory->path()).permissions() & fs::perms::all) == fs::perms::owner_all);
        test::put_file(directory->path() / "file", "contents");
    }
    CHECK(entries_of(place.path()) == 0);
}

TEST_CASE("what a killed process left is removed when the next one makes its scratch directory") {
    test::TemporaryDirectory const place;
    leave_behind(place.path());
    REQUIRE(entries_of(place.path()) == 1);
    auto const next = ScratchDirectory::make(place.path());
    REQUIRE(next);
    CHECK(entries_of(place.path()) == 1);
    CHECK(entries_of(next->path()) == 0);
}

TEST_CASE("a signal that ends the process removes the scratch directory first") {
    test::TemporaryDirectory const place;
    for (int const number : {SIGINT, SIGTERM, SIGHUP}) {
        auto const status = end_by(number, place.path());
        CHECK(WIFSIGNALED(status));
        CHECK(WTERMSIG(status) == number);
        CHECK(entries_of(place.path()) == 0);
    }
}

TEST_CASE("a signal that is ignored stays ignored, and after the scratch directory all is as before") {
    test::TemporaryDirectory const place;
    auto const before = signal(SIGHUP, SIG_IGN);
    {
        auto const directory = ScratchDirectory::make(place.path());
        REQUIRE(directory);
        raise(SIGHUP);
        CHECK(entries_of(place.path()) == 1);
    }
    CHECK(signal(SIGHUP, before) == SIG_IGN);
}

TEST_CASE("the scratch directory of a running process stays") {
    test::TemporaryDirectory const place;
    auto const first = ScratchDirectory::make(place.path());
    REQUIRE(first);
    test::put_file(first->path() / "file", "contents");
    auto const second = ScratchDirectory::make(place.path());
    REQUIRE(second);
    CHECK(fs::exists(first->path() / "file"));
}

TEST_CASE("files, links and directories of other names are no leftovers") {
    test::TemporaryDirectory const place;
    test::TemporaryDirectory const elsewhere;
    test::put_file(elsewhere / "file", "contents");
    test::put_file(place / "lull-unpacked-file", "contents");
    fs::create_directory_symlink(elsewhere.path(), place / "lull-unpacked-link");
    fs::create_directories(place / "my-lull-unpacked-abcdef");
    REQUIRE(ScratchDirectory::make(place.path()));
    CHECK(entries_of(place.path()) == 3);
    CHECK(fs::exists(elsewhere / "file"));
}

TEST_CASE("one start removes a bounded number of leftovers") {
    test::TemporaryDirectory const place;
    for (std::size_t i = 0; i < ScratchDirectory::most_removed + 3; ++i)
        fs::create_directories(place / ("lull-unpacked-" + std::to_string(i)));
    REQUIRE(ScratchDirectory::make(place.path()));
    CHECK(entries_of(place.path()) == 3);
    REQUIRE(ScratchDirectory::make(place.path()));
    CHECK(entries_of(place.path()) == 0);
}

TEST_CASE("a parent that does not exist is named") {
    auto const directory = ScratchDirectory::make("/nowhere/at/all");
    REQUIRE_FALSE(directory);
    CHECK(directory.error().fault == Fault::not_found);
    CHECK_THAT(directory.error().message, Catch::Contains("/nowhere/at/all"));
}

}  // namespace scratch_directory_test
