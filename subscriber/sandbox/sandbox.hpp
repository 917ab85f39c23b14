#pragma once

#include <memory>
#include <optional>

#include "core/log.hpp"
#include "subscriber/programs/process_reaper.hpp"
#include "subscriber/sandbox/call_cgroups.hpp"
#include "subscriber/sandbox/sandbox_command.hpp"

namespace lull::subscriber {

struct SandboxSettings {
    fs::path bubblewrap = "/usr/bin/bwrap";
    // The user of programs if the node runs as root; none: an unprivileged user without a name, another for each slot.
    std::optional<std::string> user{};

    bool operator==(SandboxSettings const&) const = default;
};

// Users without a name begin here, in a range that neither Debian nor systemd gives to anybody.
inline constexpr unsigned first_sandbox_user = 60'700;
inline constexpr unsigned most_sandbox_slots = 256;

// A program that was started in the sandbox.
struct SandboxedProgram {
    StartedProgram process;
    ProgramStart start;
    FileDescriptor status;  // what bubblewrap says about it, as JSON; reading does not wait
    std::optional<CallCgroup> cgroup;
};

// Runs untrusted programs: bubblewrap gives each its own namespaces, with the tree of its version and this
// machine's /usr read-only, a bounded /tmp, no network, no privileges, and a filter of system calls. The limits hold
// without bubblewrap's help.
class Sandbox {
public:
    // Runs a program that does nothing, and says what this machine lacks if it fails: bubblewrap (Fault::not_found) or
    // user namespaces (Fault::refused). What limits there are goes to the log.
    [[nodiscard]] static Result<Sandbox> open(SandboxSettings settings, fs::path const& place, Log& log);

    // For the thread that ends the process, as start_program(). Fault::not_found: the tree has no such program.
    [[nodiscard]] Result<SandboxedProgram> start(SandboxRequest const& request) const;

private:
    Sandbox(SandboxSettings settings, std::optional<UserIdentity> user, Buffer filter)
        : settings_(std::move(settings)),
          user_(user),
          filter_(std::move(filter)) {}
    // Without a look at the tree.
    [[nodiscard]] Result<SandboxedProgram> start_in(SandboxRequest const& request) const;
    [[nodiscard]] Status try_out(fs::path const& place) const;
    [[nodiscard]] std::optional<UserIdentity> user_of(unsigned slot) const;

    SandboxSettings settings_;
    std::optional<UserIdentity> user_;
    Buffer filter_;
    std::shared_ptr<CallCgroups const> cgroups_;  // shared with the programs that run in them
};

// The exit status that bubblewrap reports: that of the program, or 128 and the number of the signal that ended it.
// Nothing: the program was never started, or killed from outside.
[[nodiscard]] std::optional<int> reported_status(std::string_view said);

}  // namespace lull::subscriber
