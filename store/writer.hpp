#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "core/event_loop.hpp"
#include "store/environment.hpp"

namespace lull::store {

// Group commit: a thread of its own applies whatever batches have gathered in one transaction and tells the loop
// afterwards. Batches become durable in the order of submit(); none is reordered, none is split.
class Writer {
public:
    using Done = std::function<void(Status const&)>;

    Writer(Environment& environment, EventLoop& loop);
    // Commits what was submitted, then ends.
    ~Writer();
    Writer(Writer const&) = delete;
    Writer& operator=(Writer const&) = delete;

    // `done` runs on the loop once the batch is durable, or with the reason why nothing of it was written. If the
    // commit of several gathered batches fails for lack of space, each is tried alone, so that a large one does not
    // take a small one down.
    void submit(Batch batch, Done done);

private:
    struct Pending {
        Batch batch;
        Done done;
    };
    void work();
    void commit(std::deque<Pending> gathered);

    Environment& environment_;
    EventLoop& loop_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Pending> queue_;  // guarded by mutex_
    bool ending_ = false;        // guarded by mutex_
    std::thread thread_;
};

}  // namespace lull::store
