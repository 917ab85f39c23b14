#include "subscriber/warden.hpp"

#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "subscriber/tree_program.hpp"

namespace lull::subscriber {

namespace {

// The steps from fork(2) to execve(2) that can fail, in their order; by number in a ProgramOutcome.
enum class Step : int { process, session, descriptors, directory, limits, user, privileges, execute };

// Descriptors of the warden, which execve(2) closes. Whatever is to become one of them lies above them before.
constexpr int outcome_descriptor = 3;
constexpr int directory_descriptor = 4;
constexpr int first_free_descriptor = 5;
constexpr int above_all = 16;

constexpr rlim_t usual_descriptors = 1024;  // we may have many more, which select(2) does not survive

// Made before the fork: other threads may hold the locks of malloc(3) at that moment, so nothing may be allocated after it.
struct Prepared {
    char const* program;
    char* const* arguments;
    char* const* environment;
    int null;
    int output;
    int outcome;
    int directory;
    UserIdentity const* user;
};

void say(ProgramOutcome const& outcome) {
    static_cast<void>(!write(outcome_descriptor, &outcome, sizeof outcome));
}

[[noreturn]] void give_up(Step step) {
    say({ProgramOutcome::Kind::not_started, errno, static_cast<int>(step)});
    _exit(127);
}

void require(bool good, Step step) {
    if (!good) give_up(step);
}

void limit(int resource, rlim_t most) {
    rlimit now{};
    require(getrlimit(resource, &now) == 0, Step::limits);
    now.rlim_cur = std::min(now.rlim_max, most);
    if (most == 0) now.rlim_max = 0;
    require(setrlimit(resource, &now) == 0, Step::limits);
}

void become(UserIdentity const& user) {
    require(setgroups(0, nullptr) == 0, Step::user);
    require(setresgid(user.group, user.group, user.group) == 0, Step::user);
    require(setresuid(user.user, user.user, user.user) == 0, Step::user);
}

// Handlers are reset by execve(2); what is ignored stays so.
void reset_signals() {
    for (int signal = 1; signal < NSIG; ++signal) std::signal(signal, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void be_program(Prepared const& prepared, pid_t warden) {
    require(setsid() >= 0, Step::session);
    require(dup2(STDOUT_FILENO, STDERR_FILENO) >= 0, Step::descriptors);
    require(fchdir(directory_descriptor) == 0, Step::directory);
    umask(022);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, usual_descriptors);
    if (prepared.user != nullptr) become(*prepared.user);
    require(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, Step::privileges);
    // Behind the change of user, which clears it.
    require(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, Step::privileges);
    if (getppid() != warden) _exit(127);
    reset_signals();
    execve(prepared.program, prepared.arguments, prepared.environment);
    give_up(Step::execute);
}

// Kills the children that the kernel lists (proc(5), task/TID/children); false if it does not.
bool kill_children() {
    int const list = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    if (list < 0) return false;
    std::array<char, 4096> block{};
    pid_t pid = 0;
    for (ssize_t got = 0; (got = read(list, block.data(), block.size())) > 0;) {
        for (char const* letter = block.data(); letter != block.data() + got; ++letter) {
            if (*letter >= '0' && *letter <= '9') {
                pid = pid * 10 + (*letter - '0');
            } else if (pid != 0) {
                kill(std::exchange(pid, 0), SIGKILL);
            }
        }
    }
    close(list);
    return true;
}

// Everything below us: what is killed leaves its own children to us, until there is nobody left.
void kill_all(pid_t program) {
    kill(program, SIGKILL);
    kill(-program, SIGKILL);
    while (true) {
        int const waiting = kill_children() ? 0 : WNOHANG;
        siginfo_t ended{};
        if (waitid(P_ALL, 0, &ended, WEXITED | waiting) != 0 && errno != EINTR) return;
        if (waiting != 0 && ended.si_pid == 0) return;
    }
}

// Not reaped yet: as long as it is not, its process group cannot be somebody else's.
bool has_ended(pid_t program) {
    siginfo_t ended{};
    if (waitid(P_PID, static_cast<id_t>(program), &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid == 0) return false;
    auto const kind = ended.si_code == CLD_EXITED ? ProgramOutcome::Kind::exited : ProgramOutcome::Kind::signalled;
    say({kind, ended.si_status, 0});
    return true;
}

void watch_over(pid_t program) {
    sigset_t expected;
    sigemptyset(&expected);
    sigaddset(&expected, SIGCHLD);
    sigaddset(&expected, SIGTERM);
    while (true) {
        int const signal = sigwaitinfo(&expected, nullptr);
        if (signal == SIGTERM || has_ended(program)) return kill_all(program);
    }
}

// Every signal is blocked here.
[[noreturn]] void be_warden(Prepared const& prepared, pid_t owner) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != owner) _exit(0);
    std::signal(SIGCHLD, SIG_DFL);
    if (dup3(prepared.outcome, outcome_descriptor, O_CLOEXEC) < 0) _exit(127);  // nothing else leads to those who ask
    bool const placed = dup2(prepared.null, STDIN_FILENO) >= 0 && dup2(prepared.output, STDOUT_FILENO) >= 0 &&
                        dup2(prepared.null, STDERR_FILENO) >= 0 && dup3(prepared.directory, directory_descriptor, O_CLOEXEC) >= 0;
    // Among what is closed are locks of ours: nobody may have them longer than we do.
    require(placed && close_range(first_free_descriptor, ~0U, 0) == 0, Step::descriptors);
    require(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, Step::process);
    auto const self = getpid();
    auto const program = fork();
    require(program >= 0, Step::process);
    if (program == 0) be_program(prepared, self);
    dup2(STDIN_FILENO, STDOUT_FILENO);  // the output ends with the program
    close(directory_descriptor);        // or we would use the version as well
    watch_over(program);
    _exit(0);
}

Result<FileDescriptor> above(Result<FileDescriptor> file, fs::path const& path) {
    if (!file) return file;
    FileDescriptor copy(fcntl(file->get(), F_DUPFD_CLOEXEC, above_all));
    if (!copy.valid()) return fail_errno("open", path);
    return copy;
}

struct Pipe {
    FileDescriptor read;
    FileDescriptor write;
};

Result<Pipe> make_pipe(fs::path const& program) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return fail_errno("make a pipe for", program);
    Pipe pipe{FileDescriptor(ends[0]), {}};
    auto write = above(FileDescriptor(ends[1]), program);
    if (!write) return pass(write.error());
    pipe.write = *std::move(write);
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) return fail_errno("make a pipe for", program);
    return pipe;
}

// Blocks every signal while it lives, so that a new process begins without any.
class SignalsBlocked {
public:
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        LULL_INVARIANT(pthread_sigmask(SIG_SETMASK, &all, &before_) == 0);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(SignalsBlocked const&) = delete;
    SignalsBlocked& operator=(SignalsBlocked const&) = delete;

private:
    sigset_t before_{};
};

// A pidfd of the warden.
Result<FileDescriptor> fork_warden(Prepared const& prepared) {
    SignalsBlocked const blocked;
    auto const owner = getpid();
    auto const warden = fork();
    if (warden < 0) return fail_errno("start a process for", prepared.program);
    if (warden == 0) be_warden(prepared, owner);
    FileDescriptor handle(static_cast<int>(syscall(SYS_pidfd_open, warden, 0)));
    if (handle.valid()) return handle;
    auto error = fail_errno("follow the process of", prepared.program);
    kill(warden, SIGTERM);
    waitpid(warden, nullptr, 0);
    return error;
}

char const* what_failed(Step step) {
    switch (step) {
        case Step::process: return "no process could be made";
        case Step::session: return "it could not get a session of its own";
        case Step::descriptors: return "its descriptors could not be arranged";
        case Step::directory: return "its working directory cannot be entered";
        case Step::limits: return "its limits could not be set";
        case Step::user:
            return "it could not become another user; lull-node needs the capabilities CAP_SETUID and CAP_SETGID for that "
                   "(CapabilityBoundingSet= of its unit)";
        case Step::privileges: return "its privileges could not be limited";
        case Step::execute: break;
    }
    return "the kernel does not execute it; a script needs '#!' and its interpreter in the first line";
}

Fault fault_of(int number) {
    if (number == ENOENT) return Fault::not_found;
    return number == EACCES || number == EPERM ? Fault::refused : Fault::failed;
}

}  // namespace

Result<StartedProgram> start_program(ProgramStart const& start) {
    auto const null = above(open_file("/dev/null", O_RDWR), "/dev/null");
    auto const directory = above(open_file(start.directory, O_PATH | O_DIRECTORY), start.directory);
    auto output = make_pipe(start.program);
    auto outcome = make_pipe(start.program);
    if (!null) return pass(null.error());
    if (!directory) return pass(directory.error());
    if (!output) return pass(output.error());
    if (!outcome) return pass(outcome.error());

    auto words = start.arguments;
    words.insert(words.begin(), start.program.string());
    auto variables = start.environment;
    auto const arguments = pointers_to(words);
    auto const environment = pointers_to(variables);
    auto warden = fork_warden({start.program.c_str(), arguments.data(), environment.data(), null->get(), output->write.get(),
                               outcome->write.get(), directory->get(), start.user ? &*start.user : nullptr});
    if (!warden) return pass(warden.error());
    return StartedProgram{*std::move(warden), std::move(output->read), std::move(outcome->read)};
}

std::optional<ProgramOutcome> read_outcome(StartedProgram const& started) {
    ProgramOutcome outcome;
    // A pipe takes and gives as much as this in one piece (pipe(7)).
    if (read(started.outcome.get(), &outcome, sizeof outcome) != static_cast<ssize_t>(sizeof outcome)) return std::nullopt;
    return outcome;
}

Error not_started(ProgramStart const& start, ProgramOutcome const& outcome) {
    char const* const reason = strerrordesc_np(outcome.value);
    return fail(fault_of(outcome.value), "cannot run {}: {} ({})", start.program.string(),
                reason != nullptr ? reason : "unknown error", what_failed(static_cast<Step>(outcome.step)))
        .value();
}

bool send_signal(int pidfd, int signal) {
    return syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0;
}

}  // namespace lull::subscriber
