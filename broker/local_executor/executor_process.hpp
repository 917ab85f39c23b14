#pragma once

#include <sys/types.h>

#include "core/event_loop.hpp"
#include "core/log.hpp"

namespace lull::broker {

struct ExecutorCommand {
    fs::path program;                    // lull-node
    fs::path bundle;                     // join bundle
    fs::path root;                       // of the node
    std::vector<std::string> allowed{};  // software whose calls it may run
};

// `lull-node` of the same installation: beside this program, or else in PATH. Fault::not_found with what to do.
[[nodiscard]] Result<fs::path> find_lull_node();

// A node daemon as a child of the broker. It is started again after a second when it ends, and later each time, up to
// a minute, as long as it lives no longer than that. It ends with the broker, also when the broker is killed
// (PR_SET_PDEATHSIG, prctl(2)).
class ExecutorProcess {
public:
    // `loop` and `log` outlive it.
    ExecutorProcess(EventLoop& loop, Log& log, ExecutorCommand command);
    // Asks the process to end and waits for it, up to `longest_end`; then kills it.
    ~ExecutorProcess();
    ExecutorProcess(ExecutorProcess const&) = delete;
    ExecutorProcess& operator=(ExecutorProcess const&) = delete;

    // Makes the directory of the node and starts its daemon; on the thread that runs the loop.
    void start();

    static constexpr Duration longest_end = std::chrono::seconds(10);

private:
    enum class Step { join, serve };
    void launch(Step step);
    void look();
    void ended(int status);
    void try_later(std::string const& why);

    EventLoop& loop_;
    Log& log_;
    ExecutorCommand command_;
    Step step_ = Step::join;
    pid_t process_ = 0;      // 0: none at the moment
    FileDescriptor handle_;  // pidfd_open(2)
    std::optional<EventLoop::WatchId> watch_;
    std::optional<EventLoop::TimerId> retry_;
    TimePoint started_{};
    Duration wait_{};
};

}  // namespace lull::broker
