#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/event_loop.hpp"

namespace lull {

// Threads for hashing, compressing and disk. A job receives values and hands a value back to the loop; it shares
// nothing.
class Workers {
public:
    enum class Priority { usual, low };  // low: others come first
    Workers(EventLoop& loop, unsigned threads, Priority priority = Priority::usual);
    // On the loop. Waits for running jobs; queued ones are dropped, and no `done` runs afterwards.
    ~Workers();
    Workers(Workers const&) = delete;
    Workers& operator=(Workers const&) = delete;

    // Runs `job` on a worker, then `done(result)` on the loop. Jobs start in the order of submission; both may own what
    // cannot be copied (descriptors, frames).
    template <class Work, class Done>
    void submit(Work work_function, Done done) {
        push(UniqueTask([this, alive = std::weak_ptr(alive_), work_function = std::move(work_function),
                         done = std::move(done)]() mutable {
            loop_.post([alive = std::move(alive), done = std::move(done), value = work_function()]() mutable {
                if (!alive.expired()) done(std::move(value));
            });
        }));
    }

    [[nodiscard]] std::size_t waiting() const;

private:
    void push(UniqueTask task);
    void work(Priority priority);

    EventLoop& loop_;
    std::shared_ptr<char const> alive_ =
        std::make_shared<char const>();  // for results that are on their way to the loop
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<UniqueTask> queue_;  // guarded by mutex_
    bool ending_ = false;           // guarded by mutex_
    std::vector<std::thread> threads_;
};

}  // namespace lull
