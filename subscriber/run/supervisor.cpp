#include "subscriber/run/supervisor.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>

#include "core/event_loop.hpp"
#include "subscriber/disk/restart_marks.hpp"

namespace lull::subscriber {

namespace {

constexpr Duration slow_look = std::chrono::milliseconds(500);
constexpr std::array passed_on = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT};

bool is_ignored(int signal) {
    struct sigaction action {};
    return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

// What nohup(1) and the like made us ignore stays ignored, here and in the program.
sigset_t taken_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTTOU);  // for taking the terminal back
    for (int const signal : passed_on) {
        if (!is_ignored(signal)) sigaddset(&set, signal);
    }
    return set;
}

FileDescriptor open_own_terminal() { return FileDescriptor(open("/dev/tty", O_RDWR | O_CLOEXEC)); }

// Terminals send their signals to the whole process group: the program has had such a one already. Only a hang-up goes
// to the leader of the session alone.
bool reached_program(signalfd_siginfo const& info) {
    if (info.ssi_code != SI_KERNEL) return false;
    return info.ssi_signo != SIGHUP || getsid(0) != getpid();
}

// Ends this process as the program has ended.
[[noreturn]] void end_like(int status) {
    if (!WIFSIGNALED(status)) _exit(WEXITSTATUS(status));
    int const signal = WTERMSIG(status);
    rlimit const no_core{0, 0};  // the program has left one, if it should
    static_cast<void>(setrlimit(RLIMIT_CORE, &no_core));
    std::signal(signal, SIG_DFL);
    sigset_t only;  // no other one that is on its way may be quicker
    sigemptyset(&only);
    sigaddset(&only, signal);
    sigprocmask(SIG_UNBLOCK, &only, nullptr);
    raise(signal);
    _exit(128 + signal);  // SIGSTOP and the like end nobody
}

class Supervisor {
public:
    Supervisor(Layout const& layout, LaunchRequest const& request, Duration mark_wait)
        : layout_(layout),
          request_(request),
          mark_wait_(mark_wait),
          marks_(layout) {
        taken_ = taken_signals();
        sigprocmask(SIG_BLOCK, &taken_, &mask_before_);
        before_child_signal_ = std::signal(SIGCHLD, SIG_DFL);
        signals_.reset(signalfd(-1, &taken_, SFD_CLOEXEC | SFD_NONBLOCK));
        LULL_INVARIANT(signals_.valid());
        loop_.watch(signals_.get(), POLLIN, [this] { take_signals(); });
        auto const terminal = open_own_terminal();
        in_foreground_ = terminal.valid() && tcgetpgrp(terminal.get()) == getpgrp();
    }

    // How the last program ended, as waitpid(2) says it.
    Result<int> run() {
        start();
        if (!outcome_) loop_.run();
        return *outcome_;
    }

private:
    // Also gives the terminal back to our process group, if a program that had taken it was ended.
    void start() {
        waiting_.reset();
        if (in_foreground_) {
            auto const terminal = open_own_terminal();
            if (terminal.valid()) static_cast<void>(tcsetpgrp(terminal.get(), getpgrp()));
        }
        auto const self = getpid();
        program_ = fork();
        if (program_ == 0) become_program(self);
        if (program_ < 0) end(fail_errno("start a process for", request_.software.text()));
    }

    [[noreturn]] void become_program(pid_t supervisor) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != supervisor) _exit(128 + SIGTERM);
        std::signal(SIGCHLD, before_child_signal_);
        sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
        auto const error = launch(layout_, request_);
        fmt::print(stderr, "lull-node: {}\n", error.message);
        _exit(exit_status(error.fault));
    }

    void take_signals() {
        signalfd_siginfo info{};
        while (read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) take_signal(info);
    }

    // First who is to take it: a program that has just ended cannot.
    void take_signal(signalfd_siginfo const& info) {
        look_at_program();
        int const signal = static_cast<int>(info.ssi_signo);
        if (signal == SIGCHLD || signal == SIGTTOU) return;
        if (signal == SIGTERM) is_to_end_ = true;
        if (program_ > 0) {
            if (!reached_program(info)) kill(program_, signal);
            return;
        }
        // Without a program it has its usual effect on us.
        bool const ends = signal == SIGTERM || signal == SIGINT || signal == SIGHUP || signal == SIGQUIT;
        if (ends && !outcome_) end(signal);
        if (signal == SIGTSTP) raise(SIGSTOP);
    }

    void look_at_program() {
        int status = 0;
        while (program_ > 0 && waitpid(program_, &status, WNOHANG | WUNTRACED) == program_) {
            if (WIFSTOPPED(status)) {
                stop_as_well();
            } else {
                ended(std::exchange(program_, 0), status);
            }
        }
    }

    // The shell that started us has to see that its job is stopped; what continues it reaches us, and is passed on.
    static void stop_as_well() {
        if (open_own_terminal().valid()) raise(SIGSTOP);
    }

    void ended(pid_t program, int status) {
        auto const mark = marks_.read(request_.software);
        bool const for_update = mark && *mark && (*mark)->names(static_cast<std::uint64_t>(program));
        if (!for_update || is_to_end_) return end(status);
        wait_for_switch();
    }

    // Until the switch is over. The watch is set before the look, so that nothing happens unseen between them.
    void wait_for_switch() {
        waiting_.emplace(loop_);
        waiting_->changes.reset(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
        auto const place = layout_.software(request_.software);
        constexpr auto kinds = IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR;
        if (inotify_add_watch(waiting_->changes.get(), place.c_str(), kinds) >= 0) {
            waiting_->watch = loop_.watch(waiting_->changes.get(), POLLIN, [this] { look_at_mark(); });
        } else {
            look_later();  // no instance or watch of inotify is left
        }
        waiting_->limit = loop_.after(mark_wait_, [this] { start(); });
        look_at_mark();
    }

    void look_later() {
        waiting_->next_look = loop_.after(slow_look, [this] {
            waiting_->next_look.reset();
            look_later();
            look_at_mark();
        });
    }

    void look_at_mark() {
        std::array<char, 4096> events;
        while (read(waiting_->changes.get(), events.data(), events.size()) > 0) {}
        auto const mark = marks_.read(request_.software);
        if (!mark || !*mark || (*mark)->state == RestartMark::State::over) start();
    }

    void end(Result<int> outcome) {
        outcome_ = std::move(outcome);
        loop_.stop();
    }

    // While a program that was ended for an update may not be started again yet.
    struct Waiting {
        explicit Waiting(EventLoop& owner) : loop(owner) {}
        ~Waiting() {
            if (watch) loop.unwatch(*watch);
            if (limit) loop.cancel(*limit);
            if (next_look) loop.cancel(*next_look);
        }
        Waiting(Waiting const&) = delete;
        Waiting& operator=(Waiting const&) = delete;

        EventLoop& loop;
        FileDescriptor changes;  // inotify(7)
        std::optional<EventLoop::WatchId> watch;
        std::optional<EventLoop::TimerId> limit;
        std::optional<EventLoop::TimerId> next_look;
    };

    Layout const& layout_;
    LaunchRequest const& request_;
    Duration mark_wait_;
    RestartMarks marks_;
    EventLoop loop_;
    FileDescriptor signals_;
    sigset_t taken_{};
    sigset_t mask_before_{};
    sighandler_t before_child_signal_ = SIG_DFL;
    bool in_foreground_ = false;
    pid_t program_ = 0;       // 0: none at the moment
    bool is_to_end_ = false;  // SIGTERM came: whatever the program ends by, it is not started again
    std::optional<Waiting> waiting_;
    std::optional<Result<int>> outcome_;
};

}  // namespace

Error supervise(Layout const& layout, LaunchRequest const& request, Duration mark_wait) {
    auto const outcome = Supervisor(layout, request, mark_wait).run();
    if (!outcome) return outcome.error();
    end_like(*outcome);
}

}  // namespace lull::subscriber
