#include "subscriber/usage/in_use.hpp"

#include <sys/stat.h>

#include "core/clock.hpp"
#include "fixture.hpp"
#include "running.hpp"
#include "subscriber/proc/process_stat.hpp"

namespace lull::subscriber::test::in_use_test {

namespace {

struct InstalledProgram {
    Node node{1 << 20};
    Tree contents = {{"bin/", ""}, {"bin/app", program_contents()}, {"lib/", ""}, {"lib/data", "contents"}};
    ReleaseId id = node.install(1, "1.0", contents);
    // The same contents, other inodes.
    ReleaseId other = node.install(2, "2.0", contents);
    fs::path tree = node.layout.tree(id);

    [[nodiscard]] std::vector<Holder> holders() const {
        auto const scan = find_holders(node.layout, id);
        if (!scan) FAIL(scan.error().message);
        return scan->holders;
    }
    [[nodiscard]] bool held_by(Child const& child) const { return !signs_of(child).empty(); }
    // By what it is seen; nothing: it is no holder.
    [[nodiscard]] UsageKinds signs_of(Child const& child) const {
        auto const scan = find_holders(node.layout, id).value();
        REQUIRE(scan.signs.size() == scan.holders.size());
        for (std::size_t i = 0; i < scan.holders.size(); ++i) {
            if (scan.holders[i].pid == child.pid()) return scan.signs[i];
        }
        return {};
    }
};

}  // namespace

TEST_CASE("a version that nobody uses has no holders, though its twin is being run") {
    InstalledProgram app;
    Child const twin({app.node.layout.tree(app.other) / "bin/app", "wait"});
    twin.wait_ready();
    CHECK(app.holders().empty());
}

TEST_CASE("whoever runs a program of the version is a holder, with name, user and start, until it ends") {
    InstalledProgram app;
    Child child({app.tree / "bin/app", "wait"});
    child.wait_ready();
    auto const holders = app.holders();
    REQUIRE(holders.size() == 1);
    CHECK(holders[0].pid == child.pid());
    CHECK(holders[0].uid == getuid());
    CHECK(holders[0].command == "app");
    CHECK_FALSE(holders[0].user.empty());
    auto const now = SystemClock().wall().micros;
    CHECK(holders[0].since.micros <= now + 2'000'000);
    CHECK(holders[0].since.micros > now - 600'000'000);
    CHECK(app.holders() == holders);  // the same at each look
    child.finish();
    CHECK(app.holders().empty());
}

TEST_CASE("a program that was started through another name of the tree is found as well") {
    InstalledProgram app;
    fs::create_directory_symlink(app.tree, app.node.directory / "alias");
    Child const child({app.node.directory / "alias" / "bin/app", "wait"});
    child.wait_ready();
    CHECK(app.held_by(child));
}

TEST_CASE("a program, a mapped or open file, a working directory, an argument and a lock each make a holder") {
    InstalledProgram app;
    SECTION("program") {
        Child const child({app.tree / "bin/app", "wait"});
        child.wait_ready();
        CHECK(app.signs_of(child) == UsageKinds{UsageKind::program, UsageKind::mapping});
    }
    SECTION("mapping, descriptor closed") {
        Child const child({TEST_PROGRAM, "map", app.tree / "lib/data"});
        child.wait_ready();
        CHECK(app.signs_of(child) == UsageKinds{UsageKind::argument, UsageKind::mapping});
    }
    SECTION("open file") {
        Child const child({TEST_PROGRAM, "open", app.tree / "lib/data"});
        child.wait_ready();
        CHECK(app.signs_of(child) == UsageKinds{UsageKind::argument, UsageKind::open_file});
    }
    SECTION("working directory") {
        Child const child({TEST_PROGRAM, "wait"}, app.tree / "lib");
        child.wait_ready();
        CHECK(app.signs_of(child) == UsageKinds{UsageKind::working_directory});
    }
    SECTION("the tree itself as working directory") {
        Child const child({TEST_PROGRAM, "wait"}, app.tree);
        child.wait_ready();
        CHECK(app.signs_of(child) == UsageKinds{UsageKind::working_directory});
    }
    SECTION("argument, absolute") {
        Child const child({TEST_PROGRAM, "wait", app.tree / "lib/data"});
        child.wait_ready();
        CHECK(app.signs_of(child) == UsageKinds{UsageKind::argument});
    }
    SECTION("argument, relative to where it works") {
        Child const child({TEST_PROGRAM, "wait", app.tree.filename() / "lib/data"}, app.tree.parent_path());
        child.wait_ready();
        CHECK(app.signs_of(child) == UsageKinds{UsageKind::argument});
    }
    SECTION("argument, through a link, behind an option") {
        fs::create_directory_symlink(app.tree, app.node.directory / "alias");
        Child const child({TEST_PROGRAM, "wait", "--file=" + (app.node.directory / "alias/lib/data").string()});
        child.wait_ready();
        CHECK(app.signs_of(child) == UsageKinds{UsageKind::argument});
    }
    SECTION("lock") {
        Child const child({TEST_PROGRAM, "lock", app.node.layout.lock(app.id)});
        child.wait_ready();
        CHECK(app.signs_of(child) == UsageKinds{UsageKind::lock});
    }
}

TEST_CASE("an argument that names no file of the tree makes no holder") {
    InstalledProgram app;
    Child const child({TEST_PROGRAM, "wait", "lib/data", app.node.layout.tree(app.other) / "lib/data",
                       app.tree.parent_path(), "-", app.tree.string() + "/missing"});
    child.wait_ready();
    CHECK(app.holders().empty());
}

TEST_CASE("what lasts names how a holder was seen, and the rest only where nothing lasts") {
    CHECK(to_text(UsageKinds{UsageKind::open_file, UsageKind::lock, UsageKind::program, UsageKind::mapping}) ==
          "lock, program");
    CHECK(to_text(UsageKinds{UsageKind::open_file, UsageKind::mapping}) == "mapping, open file");
    CHECK(to_text(UsageKinds{UsageKind::root, UsageKind::working_directory, UsageKind::argument}) ==
          "working directory, root, argument");
    CHECK(to_text(UsageKinds{}).empty());
}

TEST_CASE(
    "a process may go on when it has closed its files or gone to another directory, but not without its program") {
    CHECK_FALSE(lasts_as_long_as_its_process({UsageKind::working_directory, UsageKind::mapping, UsageKind::open_file}));
    for (auto const sign : {UsageKind::lock, UsageKind::program, UsageKind::root, UsageKind::argument}) {
        CHECK(lasts_as_long_as_its_process({sign, UsageKind::open_file}));
    }
}

TEST_CASE("who merely has the lock file open, or works beside the tree, is no holder") {
    InstalledProgram app;
    Child const opener({TEST_PROGRAM, "open", app.node.layout.lock(app.id)});
    Child const neighbour({TEST_PROGRAM, "wait"}, app.tree.parent_path());
    opener.wait_ready();
    neighbour.wait_ready();
    CHECK(app.holders().empty());
}

TEST_CASE("this process itself is never a holder") {
    InstalledProgram const app;
    auto const file = open_file(app.tree / "lib/data", O_RDONLY);
    REQUIRE(file);
    CHECK(app.holders().empty());
}

TEST_CASE("a /proc that shows nothing is an error and not an answer") {
    InstalledProgram app;
    auto const empty = app.node.directory / "empty";
    fs::create_directory(empty);
    CHECK_FALSE(find_holders(app.node.layout, app.id, empty));
    CHECK_FALSE(find_holders(app.node.layout, app.id, app.node.directory / "missing"));
    CHECK_FALSE(find_holders(app.node.layout, release(9, "9")));
}

TEST_CASE("processes that may not be inspected are counted") {
    InstalledProgram app;
    if (geteuid() != 0) {
        CHECK(find_holders(app.node.layout, app.id).value().unreadable > 0);  // those of root, for one
        return;
    }
    fs::permissions(app.node.directory.path(), fs::perms(0755));
    auto const child = fork();
    if (child == 0) {
        if (setuid(65534) != 0) _exit(3);
        auto const scan = find_holders(app.node.layout, app.id);
        _exit(scan && scan->unreadable > 0 && scan->holders.empty() ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("of a process that may not be inspected the command line still tells") {
    if (geteuid() != 0) return;
    InstalledProgram app;
    fs::permissions(app.node.directory.path(), fs::perms(0755));
    Child const holder({TEST_PROGRAM, "wait", app.tree / "lib/data"});
    holder.wait_ready();
    auto const child = fork();
    if (child == 0) {
        if (setuid(65534) != 0) _exit(3);
        auto const scan = find_holders(app.node.layout, app.id);
        bool const seen = scan && scan->holders.size() == 1 && scan->holders[0].pid == holder.pid() &&
                          scan->holders[0].uid == 0 && scan->signs[0] == UsageKinds{UsageKind::argument};
        _exit(seen ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("the start of a process tells it apart, and a process that is gone has none") {
    auto const here = read_process_stat("/proc", static_cast<std::uint64_t>(getpid()));
    REQUIRE(here);
    REQUIRE(*here);
    Child child({TEST_PROGRAM, "wait"});
    child.wait_ready();
    CHECK((*read_process_stat("/proc", child.pid()))->started >= (*here)->started);
    child.finish();
    CHECK_FALSE(read_process_stat("/proc", child.pid()).value());
}

TEST_CASE("a name with parentheses, spaces and control characters neither confuses nor comes through") {
    InstalledProgram app;
    auto const odd = app.tree / "a) R 1\n";
    fs::copy_file(app.tree / "bin/app", odd);
    Child const child({odd, "wait"});
    child.wait_ready();
    auto const holders = app.holders();
    REQUIRE(holders.size() == 1);
    CHECK(holders[0].command == "a) R 1?");
    CHECK(holders[0].since.micros > 0);
    CHECK(printable("a\x1b[2Jb\xc2\x9b") == "a?[2Jb??");
}

TEST_CASE("the watch tells of each holder's end once") {
    InstalledProgram app;
    EventLoop loop;
    std::vector<std::uint64_t> ended;
    HolderWatch watch(loop, [&](Holder const& holder) {
        ended.push_back(holder.pid);
        loop.stop();
    });
    Child one({app.tree / "bin/app", "wait"});
    Child two({app.tree / "bin/app", "wait"});
    one.wait_ready();
    two.wait_ready();
    auto const holders = app.holders();
    REQUIRE(holders.size() == 2);
    REQUIRE(watch.follow(holders));
    REQUIRE(watch.follow(holders));
    CHECK(watch.count() == 2);
    one.end_input();
    run_bounded(loop);
    CHECK(ended == std::vector{one.pid()});
    CHECK(watch.count() == 1);
    two.end_input();
    run_bounded(loop);
    CHECK(ended == std::vector{one.pid(), two.pid()});
    CHECK(watch.count() == 0);
}

TEST_CASE("a holder that has ended before it is followed, or whose pid is another's, is reported as ended") {
    InstalledProgram app;
    EventLoop loop;
    int ended = 0;
    HolderWatch watch(loop, [&](Holder const&) {
        ++ended;
        loop.stop();
    });
    Child child({app.tree / "bin/app", "wait"});
    child.wait_ready();
    auto holders = app.holders();
    REQUIRE(holders.size() == 1);
    SECTION("ended") { child.finish(); }
    SECTION("another process under this pid") { holders[0].since.micros -= 1'000'000; }
    REQUIRE(watch.follow(holders));
    REQUIRE(watch.follow(holders));
    run_bounded(loop);
    loop.post([&] { loop.stop(); });
    run_bounded(loop);
    CHECK(ended == 1);
    CHECK(watch.count() == 0);
}

TEST_CASE("what is not followed any more is not reported, and a watch may end in its own handler") {
    InstalledProgram app;
    EventLoop loop;
    Child child({app.tree / "bin/app", "wait"});
    Child other({TEST_PROGRAM, "wait"}, app.tree);
    child.wait_ready();
    other.wait_ready();
    auto const holders = app.holders();
    REQUIRE(holders.size() == 2);
    std::vector<std::uint64_t> ended;
    std::optional<HolderWatch> watch;
    watch.emplace(loop, [&](Holder const& holder) {
        ended.push_back(holder.pid);
        watch.reset();
        loop.stop();
    });
    REQUIRE(watch->follow(holders));
    std::vector<Holder> only;
    for (auto const& holder : holders) {
        if (holder.pid == other.pid()) only.push_back(holder);
    }
    REQUIRE(watch->follow(only));
    child.finish();
    loop.post([&] { loop.stop(); });
    run_bounded(loop);
    CHECK(ended.empty());
    other.end_input();
    run_bounded(loop);
    CHECK(ended == std::vector{other.pid()});
}

}  // namespace lull::subscriber::test::in_use_test
