#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "core/files.hpp"

namespace lull::subscriber {

struct UserIdentity {
    uid_t user = 0;
    gid_t group = 0;
};

// A program to run without a shell.
struct ProgramStart {
    fs::path program;                      // absolute
    fs::path directory;                    // it works here
    std::vector<std::string> arguments;    // without the program's name
    std::vector<std::string> environment;  // NAME=value; there is nothing else in it
    std::optional<UserIdentity> user;      // whom it becomes, without further groups; nothing: as we are
};

// A program that was started. A process of ours stands between it and us, its warden: it takes in every process that the program
// leaves behind, whatever session that went to, and kills them all as soon as the program has ended, SIGTERM comes, or we are gone.
struct StartedProgram {
    FileDescriptor warden;   // pidfd; it has ended: so has the program, and everything that it started
    FileDescriptor output;   // what the program writes to standard output and standard error; reading does not wait
    FileDescriptor outcome;  // for read_outcome
};

// How the program itself ended.
struct ProgramOutcome {
    enum class Kind : int { exited, signalled, not_started };
    Kind kind = Kind::exited;
    int value = 0;  // exit status, signal, or errno
    int step = 0;   // at which step it could not be started
};

// The program gets /dev/null as input, a session and process group of its own, no descriptor of ours, default signals, no core dumps, no
// way to gain privileges. Call it on a thread that lives as long as the process: the program ends with its thread. That it could not
// be executed is an outcome and no failure of this.
[[nodiscard]] Result<StartedProgram> start_program(ProgramStart const& start);

// Nothing: the program was killed by its warden, or both by somebody else.
[[nodiscard]] std::optional<ProgramOutcome> read_outcome(StartedProgram const& started);

// Why it was not started: for ProgramOutcome::Kind::not_started.
[[nodiscard]] Error not_started(ProgramStart const& start, ProgramOutcome const& outcome);

// pidfd_send_signal(2); false: there is no such process any more, or we may not (errno).
[[nodiscard]] bool send_signal(int pidfd, int signal);

}  // namespace lull::subscriber
