#include "subscriber/disk/restart_marks.hpp"

#include <sys/stat.h>

#include "fixture.hpp"

namespace lull::subscriber::test::restart_marks_test {

namespace {

struct Marked {
    Node node;
    RestartMarks marks{node.layout};
    SoftwareName app = software("app");
    fs::path path = node.layout.restarting(app);

    Marked() { REQUIRE(node.layout.prepare(app)); }
    [[nodiscard]] std::optional<RestartMark> read() const { return marks.read(app).value(); }
};

}  // namespace

TEST_CASE("a mark is read as it was written, by everybody, and names its processes also when it is over") {
    Marked marked;
    CHECK_FALSE(marked.read());
    CHECK(marked.marks.clear(marked.app));
    CHECK_FALSE(marked.read());
    REQUIRE(marked.marks.set(marked.app, {4711, 12, 4194304}));
    CHECK(marked.read()->pids == std::vector<std::uint64_t>{4711, 12, 4194304});
    CHECK(marked.read()->state == RestartMark::State::ending);
    struct stat status {};
    REQUIRE(stat(marked.path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0644);
    REQUIRE(marked.marks.clear(marked.app));
    CHECK(marked.read()->state == RestartMark::State::over);
    CHECK(marked.read()->names(12));
    REQUIRE(marked.marks.set(marked.app, {5}));
    CHECK(marked.read()->state == RestartMark::State::ending);
    CHECK(marked.read()->names(5));
    CHECK_FALSE(marked.read()->names(12));
}

TEST_CASE("an ordinary user can read a mark") {
    Marked marked;
    REQUIRE(marked.marks.set(marked.app, {7}));
    if (geteuid() != 0) return;
    fs::permissions(marked.node.directory.path(), fs::perms(0755));
    auto const child = fork();
    if (child == 0) {
        if (setgid(65534) != 0 || setuid(65534) != 0) _exit(3);
        auto const mark = marked.marks.read(marked.app);
        _exit(mark && *mark && (*mark)->names(7) ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("what a daemon that was killed has left is removed for all software") {
    Marked marked;
    auto const other = software("other");
    REQUIRE(marked.node.layout.prepare(other));
    REQUIRE(marked.marks.set(marked.app, {7}));
    REQUIRE(marked.marks.set(other, {8}));
    REQUIRE(marked.marks.clear_all());
    CHECK_FALSE(fs::exists(marked.path));
    CHECK_FALSE(fs::exists(marked.node.layout.restarting(other)));
}

TEST_CASE("a mark that is not ours is an error that says what to do, and is gone when it is cleared") {
    Marked marked;
    auto const check_refused = [&] {
        auto const read = marked.marks.read(marked.app);
        REQUIRE_FALSE(read);
        CHECK(read.error().message.find(marked.path.string()) != std::string::npos);
    };
    for (auto const* pids : {"x", "12", "12\n\n", "-1\n", "0\n", "1 2\n", "12\r\n", "0x12\n", "99999999999999999999\n",
                             "4294967295\n", " 12\n"}) {
        INFO(pids);
        write_text(marked.path, std::string("ending\n") + pids);
        check_refused();
        CHECK(marked.marks.read(marked.app).error().fault == Fault::damaged);
    }
    for (auto const* text : {"", "12\n", "ending", "Over\n12\n", "ending\nover\n12\n"}) {
        INFO(text);
        write_text(marked.path, text);
        check_refused();
    }
    write_text(marked.path, std::string(80'000, '1'));
    check_refused();
    std::string many = "over\n";
    for (int i = 0; i < 5000; ++i) many += "1\n";
    write_text(marked.path, many);
    check_refused();
    CHECK_FALSE(marked.marks.set(marked.app, std::vector<std::uint64_t>(5000, 1)));
    fs::remove(marked.path);
    REQUIRE(mkfifo(marked.path.c_str(), 0644) == 0);
    check_refused();
    REQUIRE(marked.marks.clear(marked.app));
    CHECK_FALSE(fs::exists(marked.path));
}

TEST_CASE("a mark of software that is not here cannot be set") {
    Marked marked;
    CHECK_FALSE(marked.marks.set(software("none"), {7}));
}

}  // namespace lull::subscriber::test::restart_marks_test
