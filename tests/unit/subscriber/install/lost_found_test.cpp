#include "subscriber/install/lost_found.hpp"

#include <sys/stat.h>

#include "core/clock.hpp"
#include "fixture.hpp"

namespace lull::subscriber::test::lost_found_test {

namespace {

constexpr std::int64_t a_day = std::int64_t{24} * 3600 * 1'000'000;

struct Place {
    Node node;
    ReleaseId id = node.install(1, "1.0", {{"bin/", ""}, {"bin/app", "x:program"}});
    fs::path tree = node.layout.tree(id);
    fs::path lost = node.layout.lost(id.software);
    WallTime now = SystemClock().wall();

    StraysMoved move(std::vector<std::string> const& paths, LostBounds const& bounds = {}) {
        return move_strays(node.layout, id, paths, now, bounds);
    }
    std::vector<std::string> listed() { return list_lost(node.layout, id.software, 100); }
};

}  // namespace

TEST_CASE("what is no part of a release is moved with its path, and nothing is deleted") {
    Place place;
    write_text(place.tree / "bin/app.log", "log");
    fs::create_directories(place.tree / "cache/deep");
    write_text(place.tree / "cache/deep/file", "cached");
    auto const outcome = place.move({"bin/app.log", "cache"});
    CHECK(outcome.kept.empty());
    CHECK(outcome.moved == std::vector<std::string>{"bin/app.log", "cache"});
    CHECK_FALSE(fs::exists(place.tree / "bin/app.log"));
    CHECK_FALSE(fs::exists(place.tree / "cache"));
    auto const listed = place.listed();
    REQUIRE(listed.size() == 2);
    for (auto const& path : listed) CHECK_THAT(path, Catch::Contains("Z-1-1.0/"));
    CHECK(contents_of(place.lost / listed[0]).size() >= 3);
    CHECK((fs::status(place.lost).permissions() & fs::perms::mask) == fs::perms(0700));
}

TEST_CASE("what a process has open stays where it is, with the reason") {
    Place place;
    write_text(place.tree / "app.log", "log");
    fs::create_directories(place.tree / "cache");
    write_text(place.tree / "cache/db", "db");
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    pid_t const child = fork();  // another process: our own descriptors tell nothing
    if (child == 0) {
        auto const log = open_file(place.tree / "app.log", O_WRONLY | O_APPEND);
        auto const db = open_file(place.tree / "cache/db", O_RDONLY);
        if (write(ends[1], "o", 1) != 1) _exit(1);
        for (;;) pause();
    }
    close(ends[1]);
    char opened = 0;
    REQUIRE(read(ends[0], &opened, 1) == 1);
    close(ends[0]);
    auto const outcome = place.move({"app.log", "cache"});
    kill(child, SIGKILL);
    REQUIRE(waitpid(child, nullptr, 0) == child);
    CHECK(outcome.moved.empty());
    REQUIRE(outcome.kept.size() == 2);
    CHECK(outcome.kept[0] == "app.log (a process has it open)");
    CHECK(contents_of(place.tree / "app.log") == "log");
    CHECK(place.move({"app.log", "cache"}).moved.size() == 2);
}

TEST_CASE("what is larger than lost+found may become stays") {
    Place place;
    write_text(place.tree / "core", std::string(100'000, 'x'));
    auto const outcome = place.move({"core"}, {KiB(50), a_day});
    REQUIRE(outcome.kept.size() == 1);
    CHECK_THAT(outcome.kept[0], Catch::Contains("larger than"));
}

TEST_CASE("lost+found is bounded by age and by size, the oldest goes first") {
    Place place;
    for (int day = 0; day < 4; ++day) {
        write_text(place.tree / "file", std::string(40'000, 'x'));
        place.now.micros += a_day;
        REQUIRE(place.move({"file"}).moved.size() == 1);
    }
    CHECK(trim_lost(place.node.layout, place.id.software, place.now, {MiB(1), 10 * a_day}).empty());
    CHECK(trim_lost(place.node.layout, place.id.software, place.now, {MiB(1), 5 * a_day / 2}).size() == 1);
    CHECK(place.listed().size() == 3);
    CHECK(trim_lost(place.node.layout, place.id.software, place.now, {KiB(100), 10 * a_day}).size() == 1);
    CHECK(place.listed().size() == 2);
    auto const newest = place.listed().front();
    CHECK(trim_lost(place.node.layout, place.id.software, place.now, {KiB(50), 10 * a_day}).size() == 1);
    CHECK(place.listed() == std::vector<std::string>{newest});
}

TEST_CASE("a symbolic link is moved, and what it leads to is not touched") {
    Place place;
    lull::test::TemporaryDirectory outside;
    write_text(outside / "precious", "ours");
    fs::create_directory_symlink(outside.path(), place.tree / "door");
    CHECK(place.move({"door"}).moved.size() == 1);
    CHECK(contents_of(outside / "precious") == "ours");
    CHECK(trim_lost(place.node.layout, place.id.software, {place.now.micros + 40 * a_day}).size() == 1);
    CHECK(contents_of(outside / "precious") == "ours");
}

}  // namespace lull::subscriber::test::lost_found_test
