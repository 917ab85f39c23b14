#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "core/event_loop.hpp"

namespace lull {

// Threads for hashing, compressing and disk. A job receives values and hands a value back to the loop; it shares nothing.
class Workers {
public:
    Workers(EventLoop& loop, unsigned threads);
    // Waits for running jobs; queued ones are dropped, and no `done` runs afterwards.
    ~Workers();
    Workers(Workers const&) = delete;
    Workers& operator=(Workers const&) = delete;

    // Runs `job` on a worker, then `done(result)` on the loop. Jobs start in the order of submission.
    template <class Job, class Done>
    void submit(Job job, Done done) {
        enqueue([this, job = std::move(job), done = std::move(done)]() mutable {
            // shared_ptr because std::function must be copyable; only one thread at a time has it.
            auto value = std::make_shared<decltype(job())>(job());
            loop_.post([done = std::move(done), value]() mutable { done(std::move(*value)); });
        });
    }

    [[nodiscard]] std::size_t waiting() const;

private:
    // Move-only jobs (they own descriptors and buffers) in a queue: std::function cannot hold them in C++20.
    struct Job {
        virtual ~Job() = default;
        virtual void run() = 0;
    };
    template <class F>
    struct JobOf final : Job {
        explicit JobOf(F f) : function(std::move(f)) {}
        void run() override { function(); }
        F function;
    };
    template <class F>
    void enqueue(F f) {
        push(std::make_unique<JobOf<F>>(std::move(f)));
    }

    void push(std::unique_ptr<Job> job);
    void work();

    EventLoop& loop_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::unique_ptr<Job>> queue_;  // guarded by mutex_
    bool ending_ = false;                     // guarded by mutex_
    std::vector<std::thread> threads_;
};

}  // namespace lull
