#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "core/files.hpp"
#include "core/messaging.hpp"
#include "core/units.hpp"

namespace lull {

// A task that runs once and may own what cannot be copied (std::function cannot hold such in C++20).
class UniqueTask {
public:
    UniqueTask() = default;
    template <class F>
    explicit UniqueTask(F function) : body_(std::make_unique<BodyOf<F>>(std::move(function))) {}
    void operator()() { body_->run(); }

private:
    struct Body {
        virtual ~Body() = default;
        virtual void run() = 0;
    };
    template <class F>
    struct BodyOf final : Body {
        explicit BodyOf(F f) : function(std::move(f)) {}
        void run() override { function(); }
        F function;
    };
    std::unique_ptr<Body> body_;
};

// The one loop of a process. It owns no state of the domain; handlers run one at a time on the thread that called
// run().
class EventLoop {
public:
    using Task = std::function<void()>;
    using TimerId = std::uint64_t;
    using WatchId = std::uint64_t;

    EventLoop();
    ~EventLoop();
    EventLoop(EventLoop const&) = delete;
    EventLoop& operator=(EventLoop const&) = delete;

    // `handler` runs while the socket has something to read; it reads at least one message. The socket outlives the
    // watch.
    WatchId watch(Socket& socket, Task handler);
    // `handler` runs while poll(2) reports `events` (or an error) for the descriptor.
    WatchId watch(int descriptor, short events, Task handler);
    void unwatch(WatchId id);

    // Runs `task` once at `when`, or as soon as the loop can.
    TimerId at(TimePoint when, Task task);
    TimerId after(Duration wait, Task task) { return at(now() + wait, std::move(task)); }
    void cancel(TimerId id);

    // Hands a task to the loop; the only member that other threads may call.
    template <class F>
    void post(F task) {
        post_task(UniqueTask(std::move(task)));
    }

    // Runs `task` at the end of the current turn, after every handler that was ready: the place to commit and flush.
    void at_turn_end(Task task);

    // SIGINT and SIGTERM end up here. Call before any thread is started: the mask is inherited.
    void on_signal(std::vector<int> signals, std::function<void(int)> handler);

    // Runs handlers until one of them calls stop(). An exception of a handler leaves run(); what waits for the loop
    // still waits, and run() may be called again.
    void run();
    // The turn that is under way ends first. Only on the loop: other threads post it.
    void stop() { stopped_ = true; }

    [[nodiscard]] TimePoint now() const { return std::chrono::steady_clock::now(); }

private:
    struct SocketWatch {
        WatchId id;
        Socket* socket;
        int descriptor;
        Task handler;
        bool dead = false;
    };
    struct DescriptorWatch {
        WatchId id;
        int descriptor;
        short events;
        Task handler;
        bool dead = false;
    };

    void post_task(UniqueTask task);
    bool run_ready_sockets();
    bool run_due_timers();
    bool run_posted();
    bool run_turn_end();
    void wait(bool already_busy);
    void bury_dead();

    std::vector<std::unique_ptr<SocketWatch>> sockets_;
    std::vector<std::unique_ptr<DescriptorWatch>> descriptors_;
    std::multimap<TimePoint, std::pair<TimerId, Task>> timers_;
    std::deque<Task> turn_end_;
    std::mutex posted_mutex_;
    std::deque<UniqueTask> posted_;  // guarded by posted_mutex_
    std::deque<UniqueTask> taken_;   // from posted_, not run yet
    FileDescriptor wake_;            // eventfd(2)
    FileDescriptor signal_;          // signalfd(2)
    std::uint64_t next_id_ = 1;
    bool stopped_ = false;
    bool any_dead_ = false;
};

}  // namespace lull
