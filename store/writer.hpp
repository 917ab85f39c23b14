#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "core/event_loop.hpp"
#include "store/environment.hpp"

namespace lull::store {

// Group commit: a thread of its own applies all batches that have gathered in one transaction and reports to the loop
// afterwards. Batches become durable in the order of submit(); none is reordered, none is split, and none becomes
// durable behind one that failed, unless it was submitted when the owner knew of that failure.
class Writer {
public:
    using Done = std::function<void(Status const&)>;

    Writer(Environment& environment, EventLoop& loop);
    ~Writer() { finish(); }
    Writer(Writer const&) = delete;
    Writer& operator=(Writer const&) = delete;

    // `done` runs on the loop once the batch is durable, or with the reason why nothing of it was written. Where one of
    // several gathered batches fails, those before it are written, and those behind it fail with it: they may build on
    // what it would have written. The owner knows of a failure when `done` of the batch that failed begins to run.
    void submit(Batch batch, Done done);

    // Commits what was submitted, then ends the thread. Nothing may be submitted afterwards.
    void finish();

private:
    struct Pending {
        Batch batch;
        Done done;
        std::uint64_t known = 0;  // failures of which the owner knew
    };
    struct Outcome {
        Done done;
        Status status;
        bool first_to_fail = false;  // the others that fail do so because of it
    };
    // Batches submitted with no more than `known` fail.
    struct Failure {
        std::uint64_t known = 0;
        Error error;
    };
    void work();
    void commit(std::deque<Pending> gathered);
    [[nodiscard]] std::size_t write_together(std::deque<Pending> const& gathered, std::size_t first);
    [[nodiscard]] Outcome write_alone(Pending& pending);

    Environment& environment_;
    EventLoop& loop_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Pending> queue_;       // guarded by mutex_
    bool ending_ = false;             // guarded by mutex_
    std::optional<Failure> failure_;  // the last one; of the thread
    // Of which the owner knows. shared_ptr because the loop may report when the writer is gone.
    std::shared_ptr<std::atomic<std::uint64_t>> known_failures_ = std::make_shared<std::atomic<std::uint64_t>>(0);
    std::thread thread_;
};

}  // namespace lull::store
