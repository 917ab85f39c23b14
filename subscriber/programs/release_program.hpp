#pragma once

#include <string>

#include "subscriber/disk/layout.hpp"
#include "subscriber/programs/program_runs.hpp"

namespace lull::subscriber {

// A program of a release: its health check, a hook.
struct ProgramRun {
    fs::path tree;        // of the version
    std::string program;  // path in the tree
    std::vector<std::string> arguments;
    std::vector<std::string> environment;  // NAME=value, besides PATH, HOME and LANG
    Duration time_limit{};
    Bytes most_output;
    // daemon: with this process's user, environment and working directory.
    enum class RunAs { release, daemon };
    RunAs as = RunAs::release;
};

// What a program of a release is told of itself: LULL_SOFTWARE, LULL_VERSION, LULL_ROOT_DIR (the version's tree).
[[nodiscard]] std::vector<std::string> environment_of(ReleaseId const& release, fs::path const& tree);
// The same for an installed one, and LULL_DATA (the software's data directory).
[[nodiscard]] std::vector<std::string> environment_of(ReleaseId const& release, Layout const& layout);

// Runs programs of releases with as little as possible: without a shell, in their tree, as an unprivileged user where
// we are root, within limits. What they say is bounded and printable. When one has ended, or is late, everything that
// it has started is killed; the same happens when this object or this process ends.
class ReleasePrograms {
public:
    using RunId = ProgramRuns::RunId;
    using Done = ProgramRuns::Done;

    // `user`: whom programs become where we are root ("root": nobody else).
    explicit ReleasePrograms(EventLoop& loop, std::string user = "nobody") : user_(std::move(user)), runs_(loop) {}

    // `done` runs once, never within this call: how it ended, or why it was not started (Fault::not_found: there is no
    // such program).
    RunId run(ProgramRun const& wanted, Done done);
    // Kills it; its `done` does not run.
    void cancel(RunId id) { runs_.cancel(id); }
    // Terminates it, and kills it if it does not end soon; its `done` runs when it has ended.
    void terminate(RunId id) { runs_.terminate(id); }

private:
    [[nodiscard]] Result<ProgramStart> prepare(ProgramRun const& wanted) const;

    std::string user_;
    ProgramRuns runs_;
};

// The user of this name. Fault::not_found with what to do.
[[nodiscard]] Result<UserIdentity> find_user(std::string const& name);

}  // namespace lull::subscriber
