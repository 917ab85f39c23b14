#include "subscriber/notify/notice_program.hpp"

#include <sys/stat.h>

#include "fixture.hpp"
#include "running.hpp"

namespace lull::subscriber::test::notice_program_test {

namespace {

Notice const notice{software("app"), VersionName::parse("1.0").value(), VersionName::parse("2.0").value()};

Holder holder(std::uint64_t pid = 4711) {
    Holder made;
    made.pid = pid;
    made.uid = 1001;
    made.command = "app --full \x1b";
    return made;
}

// An operator's program that does what its script says, and whose failures are kept.
struct Told {
    explicit Told(std::string const& script) {
        write_text(program, "#!/bin/sh\ncd " + directory.path().string() + "\n" + script + "\n");
        fs::permissions(program, fs::perms(0755));
    }
    // Runs until so many failures are known.
    void wait_failures(std::size_t count) {
        wanted = count;
        run_bounded(loop);
    }

    lull::test::TemporaryDirectory directory;
    fs::path program = directory / "told";
    EventLoop loop;
    std::vector<std::string> failures;
    std::size_t wanted = 0;
    NoticeProgram notices{loop, program, [this](std::string const& why) {
                              failures.push_back(why);
                              if (failures.size() == wanted) loop.stop();
                          }};
};

}  // namespace

TEST_CASE("an operator's program is told who holds what, word by word") {
    Told told("printf '<%s>' \"$@\" > seen; exit 1");
    told.notices.tell(notice, holder());
    told.wait_failures(1);
    CHECK(contents_of(told.directory / "seen") == "<app><2.0><1.0><4711><1001><app --full ?>");
    CHECK(told.failures[0] == told.program.string() + " ended with status 1 after 0 s");
}

TEST_CASE("many holders are told of one after the other, and no more wait than there is room for") {
    Told told("echo $4 >> seen; [ $(wc -l < seen) -lt 50 ]; exit 1");
    for (std::uint64_t pid = 1; pid <= 70; ++pid) told.notices.tell(notice, holder(pid));
    CHECK(told.failures.size() == 2);  // 4 run, 64 wait
    CHECK(told.failures[1].find("is not told of pid 70") != std::string::npos);
    told.wait_failures(70);
    auto const seen = contents_of(told.directory / "seen");
    CHECK(std::count(seen.begin(), seen.end(), '\n') == 68);
}

TEST_CASE("only a program that nobody else can change is run, and it is looked at each time") {
    Told told("touch seen");
    auto const refusal = [&](Fault fault) {
        auto const checked = check_own_program(told.program);
        REQUIRE_FALSE(checked);
        CHECK(checked.error().fault == fault);
        told.failures.clear();
        told.notices.tell(notice, holder());
        told.wait_failures(1);
        CHECK_FALSE(fs::exists(told.directory / "seen"));
        return told.failures[0];
    };
    REQUIRE(check_own_program(told.program));
    SECTION("written by others") {
        for (unsigned const mode : {0757u, 0775u, 0722u}) {
            fs::permissions(told.program, fs::perms(mode));
            CHECK(refusal(Fault::refused).find("chmod go-w " + told.program.string()) != std::string::npos);
        }
    }
    SECTION("in a directory that others write to") {
        fs::permissions(told.directory.path(), fs::perms(0777));
        CHECK(refusal(Fault::refused).find("chmod go-w " + told.directory.path().string()) != std::string::npos);
    }
    SECTION("of somebody else") {
        if (geteuid() != 0) return;
        REQUIRE(chown(told.program.c_str(), 65534, 0) == 0);
        CHECK(refusal(Fault::refused).find("chown root") != std::string::npos);
    }
    SECTION("behind a link, where others write") {
        fs::create_directory(told.directory / "open");
        fs::rename(told.program, told.directory / "open/real");
        fs::permissions(told.directory / "open", fs::perms(0777));
        fs::create_symlink("open/real", told.program);
        CHECK(refusal(Fault::refused).find("/open can be written") != std::string::npos);
    }
    SECTION("not executable") {
        fs::permissions(told.program, fs::perms(0644));
        CHECK_FALSE(refusal(Fault::refused).empty());
    }
    SECTION("a directory") {
        fs::remove(told.program);
        fs::create_directory(told.program);
        CHECK(refusal(Fault::refused).find("it is not a program") != std::string::npos);
    }
    SECTION("not there") {
        fs::remove(told.program);
        CHECK_FALSE(refusal(Fault::not_found).empty());
    }
}

TEST_CASE("the path of an operator's program is absolute, and a link in a safe place is followed") {
    CHECK(check_own_program("bin/true").error().fault == Fault::usage);
    Told told("exit 0");
    fs::create_symlink("told", told.directory / "link");
    CHECK(check_own_program(told.directory / "link") == fs::canonical(told.program));
}

}  // namespace lull::subscriber::test::notice_program_test
