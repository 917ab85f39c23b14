#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "core/event_loop.hpp"
#include "subscriber/sandbox/sandbox.hpp"

namespace lull::subscriber {

// How a program in the sandbox ended.
struct SandboxEnd {
    enum class Kind {
        exited,       // `status`: its exit status, or 128 and the number of the signal that ended it
        not_started,  // bubblewrap failed; what it said is on standard error
        timed_out,
        too_much_output,
        stopped,  // by stop()
        killed,   // not by the node: the kernel for lack of memory, an administrator
    };
    Kind kind = Kind::exited;
    int status = 0;
    Duration took{};
    Duration processor_time{};
    Bytes input{};   // that the program's pipe has taken
    Bytes output{};  // of both streams
};

// One program in the sandbox with its three streams. It reads no more of the outputs than it is allowed, so a program
// whose output is not taken has to wait; what it keeps in memory is the input that write() was given. When it is
// destroyed, the program and everything that it started is killed. Belongs to the loop's thread, which is the one that
// ends the process. The process has to ignore SIGPIPE.
class SandboxRun {
public:
    enum class Stream { output, errors };
    struct Handlers {
        std::function<void(Stream, Buffer)> wrote;
        std::function<void(Bytes)> read;        // the program's pipe has taken so much of the input, or never will
        std::function<void(SandboxEnd)> ended;  // once, the last one; may destroy the run
    };

    [[nodiscard]] static Result<std::unique_ptr<SandboxRun>> start(EventLoop& loop, Sandbox const& sandbox,
                                                                   SandboxRequest const& request, Handlers handlers);
    ~SandboxRun();
    SandboxRun(SandboxRun const&) = delete;
    SandboxRun& operator=(SandboxRun const&) = delete;

    void write(Buffer input);
    // Standard input ends behind what was written.
    void end_input();
    // The next bytes of the output may be read: at most so many, and none behind them before the next permission.
    void allow(Stream stream, Bytes most);
    // Kills all; `ended` comes when they are gone. Output that was not read is dropped.
    void stop() { kill(SandboxEnd::Kind::stopped); }

private:
    struct Outlet {
        int descriptor = -1;
        Bytes allowed{};
        bool open = true;
        std::optional<EventLoop::WatchId> watch{};
    };

    SandboxRun(EventLoop& loop, SandboxedProgram program, SandboxLimits const& limits, Handlers handlers);
    [[nodiscard]] Outlet& outlet(Stream stream) { return outlets_[static_cast<std::size_t>(stream)]; }
    void feed();
    void drop_input();
    void watch_outlet(Stream stream);
    void read_outlet(Stream stream);
    void close_outlet(Outlet& outlet);
    void kill(SandboxEnd::Kind why);
    void reaped();
    void end_if_done();
    [[nodiscard]] SandboxEnd ending();

    EventLoop& loop_;
    SandboxedProgram program_;
    Bytes most_output_;
    Handlers handlers_;
    TimePoint began_;

    std::deque<Buffer> input_;
    std::size_t input_offset_ = 0;  // of the first one
    bool input_ends_ = false;
    std::optional<EventLoop::WatchId> input_watch_;
    Outlet outlets_[2];
    Bytes fed_{};
    Bytes output_{};

    EventLoop::WatchId reaper_watch_ = 0;
    std::optional<EventLoop::TimerId> timer_;
    std::optional<SandboxEnd::Kind> killed_;
    std::optional<SandboxEnd> end_;  // the processes are gone
};

}  // namespace lull::subscriber
