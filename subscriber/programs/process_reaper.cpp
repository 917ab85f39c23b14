#include "subscriber/programs/process_reaper.hpp"

#include <grp.h>
#include <linux/keyctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <utility>

#include "subscriber/tree/tree_program.hpp"

namespace lull::subscriber {

namespace {

// The steps from fork(2) to execve(2) that can fail, in their order; by number in a ProgramOutcome.
enum class Step : int { process, session, descriptors, directory, limits, user, privileges, execute };

// Descriptors of the reaper, which execve(2) closes. Whatever is to become one of them lies above them before.
constexpr int outcome_descriptor = 3;
constexpr int directory_descriptor = 4;
constexpr int above_all = 16;
static_assert(first_passed_descriptor + most_passed_descriptors < above_all);

constexpr rlim_t usual_descriptors = 1024;  // we may have many more, which select(2) does not survive

// Made before the fork: other threads may hold the locks of malloc(3) at that moment, so nothing may be allocated after
// it.
struct Prepared {
    char const* program;
    char* const* arguments;
    char* const* environment;
    int null;
    int input;
    int output;
    int errors;
    int outcome;
    int directory;
    UserIdentity const* user;
    Confinement const* confinement;

    [[nodiscard]] int passed() const {
        return confinement == nullptr ? 0 : static_cast<int>(confinement->descriptors.size());
    }
    // Behind those that the program gets; the reaper has /dev/null there.
    [[nodiscard]] int own_null() const { return first_passed_descriptor + passed(); }
};

void say(ProgramOutcome const& outcome) { static_cast<void>(!write(outcome_descriptor, &outcome, sizeof outcome)); }

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

// Where the kernel cannot do this, the program runs with what the other limits leave it.
void leave_behind(Confinement const& confinement) {
    constexpr std::string_view first_choice = "1000";
    int const score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (score >= 0) {
        static_cast<void>(!write(score, first_choice.data(), first_choice.size()));
        close(score);
    }
    syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr);
    if (confinement.cgroup >= 0) require(write(confinement.cgroup, "0", 1) == 1, Step::limits);
}

void confine(Confinement const& confinement) {
    for (auto const& [resource, most] : confinement.limits) {
        rlimit const both{most, most};
        require(setrlimit(static_cast<__rlimit_resource>(resource), &both) == 0, Step::limits);
    }
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

[[noreturn]] void be_program(Prepared const& prepared, pid_t reaper) {
    require(setsid() >= 0, Step::session);
    require(fchdir(directory_descriptor) == 0, Step::directory);
    umask(022);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, usual_descriptors);
    if (prepared.confinement != nullptr) leave_behind(*prepared.confinement);
    if (prepared.user != nullptr) become(*prepared.user);
    if (prepared.confinement != nullptr) confine(*prepared.confinement);
    require(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, Step::privileges);
    // Behind the change of user, which clears it.
    require(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, Step::privileges);
    if (getppid() != reaper) _exit(127);
    reset_signals();
    execve(prepared.program, prepared.arguments, prepared.environment);
    give_up(Step::execute);
}

// Sends a signal to the children that the kernel lists (proc(5), task/TID/children); false if it lists none.
bool signal_children(int signal) {
    int const list = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    if (list < 0) return false;
    std::array<char, 4096> block{};
    pid_t pid = 0;
    for (ssize_t got = 0; (got = read(list, block.data(), block.size())) > 0;) {
        for (char const* letter = block.data(); letter != block.data() + got; ++letter) {
            if (*letter >= '0' && *letter <= '9') {
                pid = pid * 10 + (*letter - '0');
            } else if (pid != 0) {
                kill(std::exchange(pid, 0), signal);
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
        int const waiting = signal_children(SIGKILL) ? 0 : WNOHANG;
        siginfo_t ended{};
        if (waitid(P_ALL, 0, &ended, WEXITED | waiting) != 0 && errno != EINTR) return;
        if (waiting != 0 && ended.si_pid == 0) return;
    }
}

// Not reaped yet: as long as it is not, its process group cannot be somebody else's.
bool told_of_end(pid_t program) {
    siginfo_t ended{};
    if (waitid(P_PID, static_cast<id_t>(program), &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid == 0)
        return false;
    auto const kind = ended.si_code == CLD_EXITED ? ProgramOutcome::Kind::exited : ProgramOutcome::Kind::signalled;
    say({kind, ended.si_status, 0});
    return true;
}

// The program's group, and what has come to the reaper from elsewhere. SIGCONT: a stopped process would not see
// SIGTERM.
void terminate_all(pid_t program) {
    for (int const signal : {SIGTERM, SIGCONT}) {
        kill(program, signal);
        kill(-program, signal);
        static_cast<void>(signal_children(signal));
    }
}

void watch_over(pid_t program) {
    sigset_t expected;
    sigemptyset(&expected);
    for (int const signal : {SIGCHLD, SIGTERM, SIGALRM, terminate_signal}) sigaddset(&expected, signal);
    while (true) {
        int const signal = sigwaitinfo(&expected, nullptr);
        if (signal == SIGTERM || signal == SIGALRM || told_of_end(program)) return kill_all(program);
        if (signal != terminate_signal) continue;
        terminate_all(program);
        alarm(static_cast<unsigned>(termination_grace.count()));
    }
}

void say_processor_time() {
    rusage used{};
    getrusage(RUSAGE_CHILDREN, &used);
    std::int64_t const milliseconds = (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * std::int64_t{1000} +
                                      (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;
    say({ProgramOutcome::Kind::processor_time, static_cast<int>(std::min<std::int64_t>(milliseconds, INT_MAX)), 0});
}

// Everything above `last`, but for the file of the cgroup: the program joins it, and execve(2) closes it.
bool close_others(int last, Confinement const* confinement) {
    auto const first = static_cast<unsigned>(last) + 1;
    if (confinement == nullptr || confinement->cgroup < 0) return close_range(first, ~0U, 0) == 0;
    auto const kept = static_cast<unsigned>(confinement->cgroup);
    return close_range(first, kept - 1, 0) == 0 && close_range(kept + 1, ~0U, 0) == 0;
}

// Every signal is blocked here.
[[noreturn]] void be_reaper(Prepared const& prepared, pid_t owner) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != owner) _exit(0);
    std::signal(SIGCHLD, SIG_DFL);
    if (dup3(prepared.outcome, outcome_descriptor, O_CLOEXEC) < 0) _exit(127);  // nothing else leads to those who ask
    bool placed = dup2(prepared.input, STDIN_FILENO) >= 0 && dup2(prepared.output, STDOUT_FILENO) >= 0 &&
                  dup2(prepared.errors, STDERR_FILENO) >= 0 &&
                  dup3(prepared.directory, directory_descriptor, O_CLOEXEC) >= 0;
    for (int i = 0; i < prepared.passed(); ++i) {
        auto const ours = prepared.confinement->descriptors[static_cast<std::size_t>(i)];
        placed = placed && dup2(ours, first_passed_descriptor + i) >= 0;
    }
    int const null = prepared.own_null();
    placed = placed && dup3(prepared.null, null, O_CLOEXEC) >= 0;
    // Among what is closed are locks of ours: nobody may have them longer than we do.
    require(placed && close_others(null, prepared.confinement), Step::descriptors);
    require(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, Step::process);
    auto const self = getpid();
    auto const program = fork();
    require(program >= 0, Step::process);
    if (program == 0) be_program(prepared, self);
    for (int const stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        dup2(null, stream);                     // they end with the program
    close_range(directory_descriptor, ~0U, 0);  // or we would use the version as well
    watch_over(program);
    say_processor_time();
    _exit(0);
}

Result<FileDescriptor> above(Result<FileDescriptor> file, fs::path const& path) {
    if (!file) return file;
    FileDescriptor copy(fcntl(file->get(), F_DUPFD_CLOEXEC, above_all));
    if (!copy.valid()) return fail_errno("open", path);
    return copy;
}

// The same with copies of its descriptors, which `copies` owns.
Result<Confinement> above(Confinement confinement, std::vector<FileDescriptor>& copies) {
    LULL_INVARIANT(confinement.descriptors.size() <= most_passed_descriptors);
    auto const copy = [&](int& descriptor) {
        copies.emplace_back(fcntl(descriptor, F_DUPFD_CLOEXEC, above_all));
        descriptor = copies.back().get();
        return descriptor >= 0;
    };
    bool good = true;
    for (auto& descriptor : confinement.descriptors) good = copy(descriptor) && good;
    if (confinement.cgroup >= 0) good = copy(confinement.cgroup) && good;
    if (!good) return fail(Fault::failed, "cannot pass descriptors to a program: too many are open");
    return confinement;
}

struct Pipe {
    FileDescriptor ours;  // reading and writing does not wait
    FileDescriptor theirs;
};

// From the program to us, or from us to the program.
enum class Direction { to_us, from_us };

Result<Pipe> make_pipe(fs::path const& program, Direction direction = Direction::to_us) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return fail_errno("make a pipe for", program);
    FileDescriptor read(ends[0]);
    FileDescriptor write(ends[1]);
    bool const to_us = direction == Direction::to_us;
    Pipe pipe{std::move(to_us ? read : write), {}};
    auto theirs = above(std::move(to_us ? write : read), program);
    if (!theirs) return pass(theirs.error());
    pipe.theirs = *std::move(theirs);
    if (fcntl(pipe.ours.get(), F_SETFL, O_NONBLOCK) != 0) return fail_errno("make a pipe for", program);
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

// A pidfd of the reaper.
Result<FileDescriptor> fork_reaper(Prepared const& prepared) {
    SignalsBlocked const blocked;
    auto const owner = getpid();
    auto const reaper = fork();
    if (reaper < 0) return fail_errno("start a process for", prepared.program);
    if (reaper == 0) be_reaper(prepared, owner);
    FileDescriptor handle(static_cast<int>(syscall(SYS_pidfd_open, reaper, 0)));
    if (handle.valid()) return handle;
    auto error = fail_errno("follow the process of", prepared.program);
    kill(reaper, SIGTERM);
    waitpid(reaper, nullptr, 0);
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
            return "it could not become another user; lull-node needs the capabilities CAP_SETUID and CAP_SETGID for "
                   "that "
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
    bool const all = start.streams == ProgramStart::Streams::all;
    auto const null = above(open_file("/dev/null", O_RDWR), "/dev/null");
    auto const directory = above(open_file(start.directory, O_PATH | O_DIRECTORY), start.directory);
    auto input = all ? make_pipe(start.program, Direction::from_us) : Result<Pipe>(Pipe{});
    auto output = make_pipe(start.program);
    auto errors = all ? make_pipe(start.program) : Result<Pipe>(Pipe{});
    auto outcome = make_pipe(start.program);
    if (!null) return pass(null.error());
    if (!directory) return pass(directory.error());
    for (auto const* const pipe : {&input, &output, &errors, &outcome}) {
        if (!*pipe) return pass(pipe->error());
    }

    auto words = start.arguments;
    words.insert(words.begin(), start.program.string());
    auto variables = start.environment;
    auto const arguments = pointers_to(words);
    auto const environment = pointers_to(variables);
    std::vector<FileDescriptor> copies;
    auto const confinement = start.confinement ? above(*start.confinement, copies) : Result<Confinement>(Confinement{});
    if (!confinement) return pass(confinement.error());
    auto reaper = fork_reaper({start.program.c_str(), arguments.data(), environment.data(), null->get(),
                               all ? input->theirs.get() : null->get(), output->theirs.get(),
                               all ? errors->theirs.get() : output->theirs.get(), outcome->theirs.get(),
                               directory->get(), start.user ? &*start.user : nullptr,
                               start.confinement ? &*confinement : nullptr});
    if (!reaper) return pass(reaper.error());
    return StartedProgram{*std::move(reaper), std::move(output->ours), std::move(outcome->ours), std::move(input->ours),
                          std::move(errors->ours)};
}

std::optional<ProgramOutcome> read_outcome(StartedProgram const& started) { return read_ending(started).outcome; }

ProgramEnding read_ending(StartedProgram const& started) {
    ProgramEnding ending;
    ProgramOutcome said;
    // A pipe takes and gives as much as this in one piece (pipe(7)).
    while (read(started.outcome.get(), &said, sizeof said) == static_cast<ssize_t>(sizeof said)) {
        if (said.kind == ProgramOutcome::Kind::processor_time) {
            ending.processor_time = std::chrono::milliseconds(said.value);
        } else if (!ending.outcome) {  // why it was not started comes before the exit status of that process
            ending.outcome = said;
        }
    }
    return ending;
}

Error not_started(ProgramStart const& start, ProgramOutcome const& outcome) {
    char const* const reason = strerrordesc_np(outcome.value);
    return fail(fault_of(outcome.value), "cannot run {}: {} ({})", start.program.string(),
                reason != nullptr ? reason : "unknown error", what_failed(static_cast<Step>(outcome.step)))
        .value();
}

bool send_signal(int pidfd, int signal) { return syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0; }

}  // namespace lull::subscriber
