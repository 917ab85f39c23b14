#pragma once

#include <functional>
#include <map>

#include "core/event_loop.hpp"
#include "subscriber/programs/process_reaper.hpp"

namespace lull::subscriber {

// How long a program may take, and how much of what it writes is kept.
struct ProgramBounds {
    Duration time_limit;
    Bytes most_output;
};

// How a program ended.
struct ProgramResult {
    enum class End { exited, signalled, timed_out };
    End end = End::exited;
    int value = 0;       // exit status or signal; of a time-out nothing
    std::string output;  // the last of what it wrote: printable ASCII, lines end in LF, without white space at its end
    Duration took{};

    [[nodiscard]] bool succeeded() const { return end == End::exited && value == 0; }
};

// "ended with status 3 after 2 s: database is locked", one line, for reports and logs.
[[nodiscard]] std::string to_text(ProgramResult const& result);

// Runs programs without waiting for them; several at a time. Belongs to the thread that ends the process, as
// start_program demands.
class ProgramRuns {
public:
    using RunId = std::uint64_t;
    // Runs on the loop, once, never within run(): how the program ended, or why it was not started. May destroy the
    // object.
    using Done = std::function<void(Result<ProgramResult>)>;

    explicit ProgramRuns(EventLoop& loop) : loop_(loop) {}
    // Kills what runs, with everything that it started; no `done` runs afterwards.
    ~ProgramRuns();
    ProgramRuns(ProgramRuns const&) = delete;
    ProgramRuns& operator=(ProgramRuns const&) = delete;

    // An error in place of the program goes to `done`.
    RunId run(Result<ProgramStart> start, ProgramBounds bounds, Done done);
    // Kills it; its `done` does not run. Nothing if it has ended.
    void cancel(RunId id);
    // Sends SIGTERM to it and to everything that it started, SIGKILL after two seconds; `done` runs when all have
    // ended.
    void terminate(RunId id);

private:
    struct Run {
        ProgramStart start;
        ProgramBounds bounds{};
        Done done;  // empty: nobody wants to know any more, and it only remains to be reaped
        StartedProgram started;
        TimePoint began;
        std::string output;
        std::vector<EventLoop::WatchId> watches;
        std::optional<EventLoop::TimerId> timer;
        bool terminated = false;
    };

    void follow(RunId id, Run& run);
    void read_output(RunId id);
    void time_out(RunId id);
    void give_up(RunId id);
    void ended(RunId id);
    void forget(Run& run);
    [[nodiscard]] Result<ProgramResult> result_of(Run& run) const;

    EventLoop& loop_;
    std::map<RunId, Run> runs_;
    RunId next_ = 1;
};

}  // namespace lull::subscriber
