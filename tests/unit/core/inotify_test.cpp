#include "core/inotify.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/support/temporary_directory.hpp"

namespace inotify_test {

using namespace lull;
using test::TemporaryDirectory;

TEST_CASE("changes in a directory are reported with the entry's name, those below are not") {
    TemporaryDirectory directory;
    fs::create_directory(directory / "sub");
    auto inotify = Inotify::open().value();
    auto const watch = inotify.watch(directory.path()).value();
    CHECK(inotify.watch(directory.path()).value() == watch);
    CHECK(inotify.read().empty());
    std::ofstream(directory / "sub/file") << "x";
    CHECK(inotify.read().empty());
    std::ofstream(directory / "file") << "x";
    auto const events = inotify.read();
    REQUIRE_FALSE(events.empty());
    CHECK(events.front().watch == watch);
    CHECK(events.front().name == "file");
    CHECK(events.front().entry);
    CHECK_FALSE(events.front().overflow);
    inotify.unwatch(watch);
    auto const last = inotify.read();
    REQUIRE(last.size() == 1);
    CHECK(last.front().removed);
    inotify.unwatch(watch);  // gone already
}

TEST_CASE("a directory that is removed loses its watch, and what is no directory has none") {
    TemporaryDirectory directory;
    fs::create_directory(directory / "sub");
    fs::create_directory_symlink("sub", directory / "link");
    auto inotify = Inotify::open().value();
    CHECK_FALSE(inotify.watch(directory / "link"));
    CHECK(inotify.watch(directory / "nothing").error().fault == Fault::not_found);
    REQUIRE(inotify.watch(directory / "sub"));
    fs::remove(directory / "sub");
    bool removed = false;
    for (auto const& event : inotify.read()) removed = removed || event.removed;
    CHECK(removed);
}

}  // namespace inotify_test
