#pragma once

#include <deque>
#include <functional>

#include "subscriber/notify/notice_text.hpp"
#include "subscriber/programs/program_runs.hpp"

namespace lull::subscriber {

// Whether an operator's program may be run as we are: an absolute path to an executable file which, like the
// directories above it, nobody can change but root and us. Gives where it really lies; Fault::refused with the chmod or
// chown to run.
[[nodiscard]] Result<fs::path> check_own_program(fs::path const& path);

// Tells an operator's program about each holder: PROGRAM SOFTWARE READY RUNNING PID UID COMMAND. It may take 10 s; a
// few run at a time, and the others wait for their turn. Belongs to the thread that ends the process.
class NoticeProgram {
public:
    // Runs on the loop for each call that was not a success, with the reason.
    using Failed = std::function<void(std::string const&)>;

    NoticeProgram(EventLoop& loop, fs::path program, Failed failed)
        : program_(std::move(program)),
          failed_(std::move(failed)),
          runs_(loop) {}

    void tell(Notice const& notice, Holder const& holder);

private:
    void start_next();
    void ended(Result<ProgramResult> const& result);
    [[nodiscard]] Result<ProgramStart> prepare(std::vector<std::string> arguments) const;

    fs::path program_;
    Failed failed_;
    std::deque<std::vector<std::string>> waiting_;  // arguments of calls
    std::size_t running_ = 0;
    ProgramRuns runs_;
};

}  // namespace lull::subscriber
