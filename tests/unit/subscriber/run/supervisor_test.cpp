#include "subscriber/run/supervisor.hpp"

#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>

#include <csignal>
#include <cstdlib>
#include <thread>

#include "fixture.hpp"
#include "running.hpp"
#include "subscriber/disk/restart_marks.hpp"
#include "subscriber/install/switch_current.hpp"
#include "subscriber/programs/holder_stopper.hpp"
#include "subscriber/tree/tree_program.hpp"
#include "subscriber/usage/in_use.hpp"

namespace lull::subscriber::test::supervisor_test {

namespace {

using namespace std::chrono_literals;

struct Supervised {
    Node node{1 << 20};
    Layout const& layout = node.layout;
    std::string program = program_contents();
    ReleaseId one = node.install(1, "1.0", {{"bin/", ""}, {"bin/app", program}});
    ReleaseId two = node.install(2, "2.0", {{"bin/", ""}, {"bin/app", program}});
    RestartMarks marks{node.layout};

    // Whoever started the tests may ignore signals, as nohup(1) does, and a shell for what it starts in the background.
    Supervised() {
        for (int const signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT})
            std::signal(signal, SIG_DFL);
        REQUIRE(switch_current(layout, one));
    }

    // A process that does what `lull-node run app --supervise -- ARGUMENTS` does.
    [[nodiscard]] std::unique_ptr<Child> start(std::vector<std::string> const& arguments,
                                               std::chrono::milliseconds mark_wait = 60s) const {
        std::vector<std::string> words = {TEST_PROGRAM, "supervise", layout.root(), "app",
                                          std::to_string(mark_wait.count())};
        words.insert(words.end(), arguments.begin(), arguments.end());
        return std::make_unique<Child>(std::move(words));
    }
    // The one process that uses a version.
    [[nodiscard]] Holder holder(ReleaseId const& id) const {
        auto const holders = find_holders(layout, id).value().holders;
        REQUIRE(holders.size() == 1);
        return holders[0];
    }
    [[nodiscard]] bool used(ReleaseId const& id) const {
        return !UseLock::try_exclusive(layout.lock(id)).value().has_value();
    }
};

pid_t pid_of(Child const& child) { return static_cast<pid_t>(child.pid()); }
pid_t pid_of(Holder const& holder) { return static_cast<pid_t>(holder.pid); }

// Waits until a process that is not our child has ended.
void wait_end(Holder const& holder) {
    FileDescriptor const process(static_cast<int>(syscall(SYS_pidfd_open, pid_of(holder), 0)));
    if (!process.valid()) return;
    pollfd ended{process.get(), POLLIN, 0};
    REQUIRE(poll(&ended, 1, 60'000) == 1);
}

// How a child of ours ended: exit status, or 1000 and the signal.
int end_of(Child& child) {
    int status = 0;
    siginfo_t info{};
    REQUIRE(waitid(P_PID, static_cast<id_t>(child.pid()), &info, WEXITED | WNOWAIT) == 0);
    status = info.si_status;
    return info.si_code == CLD_EXITED ? status : 1000 + status;
}

char state_of(pid_t pid) {
    auto const bytes = read_file(fmt::format("/proc/{}/stat", pid), KiB(4));
    if (!bytes) return ' ';
    auto const text = as_text(*bytes);
    return text.at(text.rfind(')') + 2);
}

char next_letter(Child const& child) {
    char letter = 0;
    REQUIRE(read(child.output_descriptor(), &letter, 1) == 1);
    return letter;
}

// A shell with a terminal that runs one job in the foreground, and continues it when it has stopped.
class Shell {
public:
    explicit Shell(std::vector<std::string> words) : master_(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
        REQUIRE(grantpt(master_.get()) == 0);
        REQUIRE(unlockpt(master_.get()) == 0);
        std::string const device = ptsname(master_.get());
        int ends[2];
        REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
        told_.reset(ends[0]);
        FileDescriptor const tell(ends[1]);
        pid_ = fork();
        if (pid_ == 0) be_shell(device, std::move(words), tell.get());
    }
    ~Shell() {
        master_.reset();
        waitpid(pid_, nullptr, 0);
    }
    Shell(Shell const&) = delete;
    Shell& operator=(Shell const&) = delete;

    void type(char letter) const { REQUIRE(write(master_.get(), &letter, 1) == 1); }
    // The next letter on the terminal.
    [[nodiscard]] char shown() const {
        char letter = 0;
        REQUIRE(read(master_.get(), &letter, 1) == 1);
        return letter;
    }
    // The next thing that the shell says: the job's pid, a signal that stopped it, its exit status.
    [[nodiscard]] int told() const {
        int value = 0;
        REQUIRE(read(told_.get(), &value, sizeof value) == static_cast<ssize_t>(sizeof value));
        return value;
    }

private:
    [[noreturn]] static void be_shell(std::string const& device, std::vector<std::string> words, int tell) {
        setsid();
        int const terminal = open(device.c_str(), O_RDWR);
        ioctl(terminal, TIOCSCTTY, 0);
        termios modes{};
        tcgetattr(terminal, &modes);
        modes.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        tcsetattr(terminal, TCSANOW, &modes);
        std::signal(SIGTTOU, SIG_IGN);
        auto const job = fork();
        if (job == 0) {
            setpgid(0, 0);
            tcsetpgrp(terminal, getpid());
            std::signal(SIGTTOU, SIG_DFL);
            for (int standard = 0; standard < 3; ++standard) dup2(terminal, standard);
            auto arguments = pointers_to(words);
            execv(arguments[0], arguments.data());
            _exit(127);
        }
        auto const say = [tell](int value) { static_cast<void>(!write(tell, &value, sizeof value)); };
        say(job);
        int status = 0;
        while (waitpid(job, &status, WUNTRACED) == job && WIFSTOPPED(status)) {
            say(WSTOPSIG(status));
            kill(-job, SIGCONT);
        }
        say(WEXITSTATUS(status));
        _exit(0);
    }

    FileDescriptor master_;
    FileDescriptor told_;
    pid_t pid_ = -1;
};

}  // namespace

TEST_CASE("on a terminal its keys reach the program once, and the shell sees that the job has stopped") {
    Supervised app;
    Shell const shell({TEST_PROGRAM, "supervise", app.layout.root(), "app", "60000", "signals"});
    auto const supervisor = shell.told();
    CHECK(shell.shown() == 'r');
    shell.type('\x03');  // Ctrl-C
    CHECK(shell.shown() == 'i');
    shell.type('\x1a');  // Ctrl-Z
    CHECK(shell.told() == SIGSTOP);
    CHECK(shell.shown() == 'c');
    // It is continued by the shell and by the supervisor, one of them later.
    auto const shown_next = [&shell] {
        char next = shell.shown();
        while (next == 'c') next = shell.shown();
        return next;
    };
    shell.type('\x1c');  // Ctrl-\, which shows that there was one Ctrl-C only
    CHECK(shown_next() == 'q');
    kill(supervisor, SIGTERM);
    CHECK(shown_next() == 't');
    CHECK(shell.told() == 42);
}

TEST_CASE("a supervised program is started as if it was started directly, and its status is passed on") {
    Supervised app;
    auto const child = app.start({"show", "a b", ""});
    auto const tree = app.layout.tree(app.one).string();
    CHECK(child->output() == fmt::format("app|1.0|{}|{}/bin/app|a b|", tree, tree));
    CHECK(end_of(*child) == 7);
}

TEST_CASE("a supervisor ends by the signal that its program ended by") {
    Supervised app;
    for (int const signal : {SIGKILL, SIGTERM, SIGALRM}) {
        auto const child = app.start({"raise", std::to_string(signal)});
        CHECK(end_of(*child) == 1000 + signal);
    }
}

TEST_CASE("what cannot be started is told, with the exit status of its kind") {
    Supervised app;
    fs::remove(app.layout.current_link(software("app")));
    auto const child = app.start({"show"});
    CHECK(end_of(*child) == exit_status(Fault::not_found));
}

TEST_CASE("only the program holds the version, in the process group of its supervisor") {
    Supervised app;
    auto const child = app.start({"wait"});
    child->wait_ready();
    auto const holder = app.holder(app.one);
    CHECK(holder.pid != child->pid());
    CHECK(app.used(app.one));
    CHECK(getpgid(pid_of(holder)) == getpgid(pid_of(*child)));
    CHECK(getsid(pid_of(holder)) == getsid(pid_of(*child)));
    child->end_input();
    CHECK(end_of(*child) == 0);
    CHECK_FALSE(app.used(app.one));
}

TEST_CASE("signals are passed on, and the program's answer counts") {
    Supervised app;
    auto const child = app.start({"signals"});
    child->wait_ready();
    for (auto const& [signal, letter] :
         std::map<int, char>{{SIGINT, 'i'}, {SIGHUP, 'h'}, {SIGQUIT, 'q'}, {SIGUSR1, '1'}, {SIGUSR2, '2'}}) {
        kill(pid_of(*child), signal);
        CHECK(next_letter(*child) == letter);
    }
    kill(pid_of(*child), SIGTERM);
    CHECK(next_letter(*child) == 't');
    CHECK(end_of(*child) == 42);
}

TEST_CASE("a supervised program can be stopped and continued") {
    Supervised app;
    auto const child = app.start({"signals"});
    child->wait_ready();
    auto const program = pid_of(app.holder(app.one));
    kill(pid_of(*child), SIGTSTP);
    auto const most = std::chrono::steady_clock::now() + 60s;
    while (state_of(program) != 'T') {
        REQUIRE(std::chrono::steady_clock::now() < most);
        std::this_thread::yield();
    }
    // With a terminal the supervisor stops as well, so that the shell sees it; without one it does not.
    kill(pid_of(*child), SIGCONT);
    CHECK(next_letter(*child) == 'c');
    kill(pid_of(*child), SIGTERM);
    CHECK(end_of(*child) == 42);
}

TEST_CASE("signals that were ignored before stay ignored, in the supervisor and in its program") {
    Supervised app;
    std::signal(SIGHUP, SIG_IGN);
    auto const child = app.start({"wait"});
    std::signal(SIGHUP, SIG_DFL);
    child->wait_ready();
    auto const holder = app.holder(app.one);
    kill(pid_of(*child), SIGHUP);
    kill(pid_of(holder), SIGHUP);
    child->end_input();
    CHECK(end_of(*child) == 0);
}

TEST_CASE("a program that was ended for an update is started again when the mark is gone, in the new version") {
    Supervised app;
    auto const child = app.start({"wait"});
    child->wait_ready();
    auto const holder = app.holder(app.one);
    REQUIRE(app.marks.set(software("app"), {4711, holder.pid}));
    EventLoop loop;
    HolderStopper stopper(loop);
    stopper.stop(software("app"), {holder}, 60s, [&](std::vector<StoppedHolder> const& stopped) {
        CHECK(stopped.at(0).end == HolderEnd::ended);
        loop.stop();
    });
    run_bounded(loop);
    CHECK_FALSE(app.used(app.one));
    REQUIRE(switch_current(app.layout, app.two));
    CHECK(find_holders(app.layout, app.two).value().holders.empty());
    REQUIRE(app.marks.clear(software("app")));
    child->wait_ready();
    CHECK(app.used(app.two));
    CHECK_FALSE(app.used(app.one));
    CHECK(app.holder(app.two).pid != holder.pid);
    child->end_input();
    CHECK(end_of(*child) == 0);
}

TEST_CASE("an update that is given up starts the program again in the version that stayed, each time") {
    Supervised app;
    auto const child = app.start({"signals"});
    for (int times = 0; times < 20; ++times) {
        child->wait_ready();
        auto const holder = app.holder(app.one);
        REQUIRE(app.marks.set(software("app"), {holder.pid}));
        kill(pid_of(holder), SIGTERM);
        CHECK(next_letter(*child) == 't');
        wait_end(holder);
        REQUIRE(app.marks.clear(software("app")));
    }
    child->wait_ready();
    kill(pid_of(*child), SIGTERM);
    CHECK(end_of(*child) == 42);
}

TEST_CASE("a supervisor that hears late of its program's end still starts it again") {
    Supervised app;
    auto const child = app.start({"wait"});
    child->wait_ready();
    auto const holder = app.holder(app.one);
    kill(pid_of(*child), SIGSTOP);
    REQUIRE(app.marks.set(software("app"), {holder.pid}));
    kill(pid_of(holder), SIGTERM);
    wait_end(holder);
    REQUIRE(switch_current(app.layout, app.two));
    REQUIRE(app.marks.clear(software("app")));
    kill(pid_of(*child), SIGCONT);
    child->wait_ready();
    CHECK(app.used(app.two));
}

TEST_CASE("a mark that stays does not keep a program off for ever") {
    Supervised app;
    auto const child = app.start({"wait"}, 300ms);
    child->wait_ready();
    auto const holder = app.holder(app.one);
    REQUIRE(app.marks.set(software("app"), {holder.pid}));
    REQUIRE(switch_current(app.layout, app.two));
    kill(pid_of(holder), SIGTERM);
    child->wait_ready();
    CHECK(app.holder(app.two).pid != holder.pid);
    child->end_input();
    CHECK(end_of(*child) == 0);
}

TEST_CASE("a program that ends while others are being ended is not started again") {
    Supervised app;
    auto const child = app.start({"wait"});
    child->wait_ready();
    auto const holder = app.holder(app.one);
    SECTION("the mark names others") { REQUIRE(app.marks.set(software("app"), {holder.pid + 1, 4711})); }
    SECTION("the mark is damaged") {
        write_text(app.layout.restarting(software("app")), fmt::format("ending\n{} ", holder.pid));
    }
    SECTION("there is none") {}
    kill(pid_of(holder), SIGTERM);
    CHECK(end_of(*child) == 1000 + SIGTERM);
}

TEST_CASE("a supervisor that waits for the new version can be ended") {
    Supervised app;
    auto const child = app.start({"wait"});
    child->wait_ready();
    auto const holder = app.holder(app.one);
    REQUIRE(app.marks.set(software("app"), {holder.pid}));
    kill(pid_of(holder), SIGTERM);
    wait_end(holder);
    kill(pid_of(*child), SIGTERM);
    CHECK(end_of(*child) == 1000 + SIGTERM);
    CHECK_FALSE(app.used(app.one));
}

TEST_CASE(
    "a supervisor that was asked to end does not start its program again, though that was ended for an update as "
    "well") {
    Supervised app;
    auto const child = app.start({"signals"});
    child->wait_ready();
    REQUIRE(app.marks.set(software("app"), {app.holder(app.one).pid}));
    kill(pid_of(*child), SIGTERM);
    CHECK(end_of(*child) == 42);
}

TEST_CASE("a supervisor that is killed hard does not leave its program behind") {
    Supervised app;
    auto const child = app.start({"signals"});
    child->wait_ready();
    auto const holder = app.holder(app.one);
    kill(pid_of(*child), SIGKILL);
    CHECK(next_letter(*child) == 't');
    wait_end(holder);
    CHECK_FALSE(app.used(app.one));
}

}  // namespace lull::subscriber::test::supervisor_test
