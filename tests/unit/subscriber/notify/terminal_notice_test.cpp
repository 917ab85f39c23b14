#include "subscriber/notify/terminal_notice.hpp"

#include <sys/ioctl.h>
#include <termios.h>

#include <csignal>
#include <cstdlib>
#include <thread>

#include "fixture.hpp"
#include "subscriber/proc/process_stat.hpp"

namespace lull::subscriber::test::terminal_notice_test {

namespace {

Notice const notice{software("app"), VersionName::parse("1.0").value(), VersionName::parse("2.0").value()};

// A process with a terminal of its own, whose other side is here.
class TerminalUser {
public:
    TerminalUser() : master_(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
        REQUIRE(master_.valid());
        REQUIRE(grantpt(master_.get()) == 0);
        REQUIRE(unlockpt(master_.get()) == 0);
        device_ = ptsname(master_.get());
        int ready[2];
        REQUIRE(pipe2(ready, O_CLOEXEC) == 0);
        pid_ = fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            master_.reset();  // or the terminal would never hang up
            setsid();
            int const slave = open(device_.c_str(), O_RDWR);
            ioctl(slave, TIOCSCTTY, 0);
            if (write(ready[1], "r", 1) != 1) _exit(1);
            char letter = 0;
            while (read(slave, &letter, 1) > 0 && letter != 'q') {}
            _exit(0);
        }
        close(ready[1]);
        char letter = 0;
        REQUIRE(read(ready[0], &letter, 1) == 1);
        close(ready[0]);
    }
    ~TerminalUser() {
        master_.reset();  // hangs up
        waitpid(pid_, nullptr, 0);
    }
    TerminalUser(TerminalUser const&) = delete;
    TerminalUser& operator=(TerminalUser const&) = delete;

    [[nodiscard]] Holder holder() const {
        Holder made;
        made.pid = static_cast<std::uint64_t>(pid_);
        made.user = "kim";
        made.command = "app";
        made.since = read_process_stat("/proc", made.pid).value().value().started;
        return made;
    }
    [[nodiscard]] fs::path const& device() const { return device_; }
    [[nodiscard]] int master() const { return master_.get(); }

    // What appears on the terminal, up to so many bytes.
    [[nodiscard]] std::string shown(std::size_t bytes) const {
        std::string text;
        while (text.size() < bytes) {
            pollfd ready{master_.get(), POLLIN, 0};
            if (poll(&ready, 1, 10'000) != 1) break;
            char block[256];
            auto const got = read(master_.get(), block, sizeof block);
            if (got <= 0) break;
            text.append(block, static_cast<std::size_t>(got));
        }
        return text;
    }

private:
    FileDescriptor master_;
    fs::path device_;
    pid_t pid_ = -1;
};

}  // namespace

TEST_CASE("the notice is two lines that name software, versions and holder, and nothing that steers a terminal") {
    Holder holder;
    holder.pid = 4711;
    holder.user = "ki\x1bm";
    holder.command = "app\n\a";
    auto const text = notice_text(notice, holder);
    for (auto const* part : {"app 2.0", "version 1.0", "app??", "4711", "ki?m"}) {
        CHECK(text.find(part) != std::string::npos);
    }
    CHECK(std::count(text.begin(), text.end(), '\n') == 3);  // one before, so that it stands on lines of its own
    auto const harmless = [](char c) { return (c >= ' ' && c <= '~') || c == '\r' || c == '\n'; };
    CHECK(std::all_of(text.begin(), text.end(), harmless));
}

TEST_CASE("the notice arrives on the holder's terminal") {
    TerminalUser const user;
    auto const holder = user.holder();
    CHECK(controlling_terminal(holder.pid) == user.device());
    REQUIRE(tell(notice, holder));
    // The terminal turns LF into CR LF, so there is a CR more for each line.
    auto const expected = notice_text(notice, holder);
    auto const shown = user.shown(expected.size());
    CHECK(shown.find("app 2.0 is ready") != std::string::npos);
    CHECK(shown.find("when it suits you") != std::string::npos);
}

TEST_CASE("a process without a terminal is not told") {
    auto const nobody = fork();
    if (nobody == 0) {
        setsid();
        pause();
        _exit(0);
    }
    Holder holder;
    holder.pid = static_cast<std::uint64_t>(nobody);
    holder.since = read_process_stat("/proc", holder.pid).value().value().started;
    // The child may not have left our session yet; then its terminal is ours, which is none of its business.
    while (getsid(nobody) != nobody) std::this_thread::yield();
    CHECK_FALSE(controlling_terminal(holder.pid));
    CHECK_FALSE(tell(notice, holder));
    kill(nobody, SIGKILL);
    waitpid(nobody, nullptr, 0);
}

TEST_CASE("another process under the holder's pid is not told") {
    TerminalUser const user;
    auto holder = user.holder();
    holder.since.micros -= 1'000'000;
    CHECK_FALSE(tell(notice, holder));
}

TEST_CASE("a terminal that takes no more does not hold us up") {
    TerminalUser const user;
    auto const holder = user.holder();
    FileDescriptor const slave(open(user.device().c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    REQUIRE(tcflow(slave.get(), TCOOFF) == 0);  // as Ctrl-S does
    CHECK_FALSE(tell(notice, holder));
    REQUIRE(tcflow(slave.get(), TCOON) == 0);
    CHECK(tell(notice, holder));
}

}  // namespace lull::subscriber::test::terminal_notice_test
