#include "core/workers.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

namespace lull {

namespace {

constexpr int nicer = 5;  // than the process: about a third of what others get, behind them, but not never
constexpr int nicest = 19;

}  // namespace

Workers::Workers(EventLoop& loop, unsigned threads, Priority priority) : loop_(loop) {
    threads_.reserve(threads);
    for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this, priority] { work(priority); });
}

Workers::~Workers() {
    alive_.reset();
    {
        std::lock_guard const lock(mutex_);
        ending_ = true;
        queue_.clear();
    }
    wake_.notify_all();
    for (auto& thread : threads_) thread.join();
}

std::size_t Workers::waiting() const {
    std::lock_guard const lock(mutex_);
    return queue_.size();
}

void Workers::push(UniqueTask task) {
    {
        std::lock_guard const lock(mutex_);
        queue_.push_back(std::move(task));
    }
    wake_.notify_one();
}

void Workers::work(Priority priority) {
    // On Linux a nice value belongs to a thread (setpriority(2), NOTES).
    if (priority == Priority::low) {
        auto const self = static_cast<id_t>(gettid());
        (void)setpriority(PRIO_PROCESS, self, std::min(getpriority(PRIO_PROCESS, self) + nicer, nicest));
    }
    while (true) {
        UniqueTask task;
        {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [this] { return ending_ || !queue_.empty(); });
            if (ending_) return;
            task = std::move(queue_.front());
            queue_.pop_front();
        }
        task();
    }
}

}  // namespace lull
