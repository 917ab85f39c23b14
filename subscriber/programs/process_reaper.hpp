#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "core/files.hpp"
#include "core/units.hpp"

namespace lull::subscriber {

struct UserIdentity {
    uid_t user = 0;
    gid_t group = 0;
};

// A soft and hard limit by setrlimit(2).
struct ResourceLimit {
    int resource = 0;  // RLIMIT_...
    std::uint64_t most = 0;
};

// What a program that nobody trusts is started with besides.
struct Confinement {
    std::vector<ResourceLimit> limits;
    std::vector<int> descriptors;  // of ours: the program has them from first_passed_descriptor on, in this order
    int cgroup = -1;               // cgroup.procs of the cgroup that it starts in; none: ours
};

inline constexpr int first_passed_descriptor = 5;
inline constexpr std::size_t most_passed_descriptors = 8;

// A program to run without a shell.
struct ProgramStart {
    fs::path program;                      // absolute
    fs::path directory;                    // it works here
    std::vector<std::string> arguments;    // without the program's name
    std::vector<std::string> environment;  // NAME=value; there is nothing else in it
    std::optional<UserIdentity> user;      // whom it becomes, without further groups; nothing: as we are
    enum class Streams { output, all };    // output: no input, both outputs in one; all: three pipes
    Streams streams = Streams::output;
    // With it the program also has a session keyring of its own, and is the kernel's first choice when memory is short.
    std::optional<Confinement> confinement{};
};

// A program that was started. Between the program and this process stands its reaper, a process of lull's own: every
// process that the program leaves behind becomes a child of the reaper, whatever its session. The reaper kills them all
// as soon as the program has ended, or this process has, or SIGTERM comes. After `terminate_signal` it sends SIGTERM to
// the program's processes first, and kills what is left after `termination_grace`.
struct StartedProgram {
    FileDescriptor reaper;    // pidfd; it has ended: so has the program, and everything that it started
    FileDescriptor output;    // what the program writes to standard output (and standard error); reading does not wait
    FileDescriptor outcome;   // for read_outcome
    FileDescriptor input{};   // Streams::all: leads to standard input; writing does not wait
    FileDescriptor errors{};  // Streams::all: what it writes to standard error; reading does not wait
};

inline constexpr int terminate_signal = SIGHUP;
inline constexpr std::chrono::seconds termination_grace(2);

// How the program itself ended.
struct ProgramOutcome {
    enum class Kind : int { exited, signalled, not_started, processor_time };  // the last one: see ProgramEnding
    Kind kind = Kind::exited;
    int value = 0;  // exit status, signal, errno, or milliseconds
    int step = 0;   // at which step it could not be started
};

// The program gets /dev/null as input (Streams::output), a session and process group of its own, no descriptor of ours,
// default signals, no core dumps, no way to gain privileges. Call it on a thread that lives as long as the process: the
// program ends with its thread. That it could not be executed is an outcome and no failure of this.
[[nodiscard]] Result<StartedProgram> start_program(ProgramStart const& start);

// Nothing: the program was killed by its reaper, or another process killed both.
[[nodiscard]] std::optional<ProgramOutcome> read_outcome(StartedProgram const& started);

// All that the reaper has said; once.
struct ProgramEnding {
    std::optional<ProgramOutcome> outcome;   // nothing: as for read_outcome
    std::optional<Duration> processor_time;  // of the program and of everything that it started
};
[[nodiscard]] ProgramEnding read_ending(StartedProgram const& started);

// Why it was not started: for ProgramOutcome::Kind::not_started.
[[nodiscard]] Error not_started(ProgramStart const& start, ProgramOutcome const& outcome);

// pidfd_send_signal(2); false: there is no such process any more, or we may not (errno).
[[nodiscard]] bool send_signal(int pidfd, int signal);

}  // namespace lull::subscriber
