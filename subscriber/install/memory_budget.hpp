#pragma once

#include <condition_variable>
#include <mutex>

#include "core/units.hpp"

namespace lull::subscriber {

// Memory that several installations share for the segments that they work on. One that needs more than there is waits;
// alone it always gets what it needs. A thread holds one share at a time, so no two wait for each other.
class MemoryBudget {
public:
    explicit MemoryBudget(Bytes total) : total_(total) {}

    class Share {
    public:
        ~Share() {
            if (budget_ != nullptr) budget_->give_back(size_);
        }
        Share(Share&& other) noexcept : budget_(std::exchange(other.budget_, nullptr)), size_(other.size_) {}
        Share& operator=(Share&&) = delete;

    private:
        friend class MemoryBudget;
        Share(MemoryBudget& budget, Bytes size) : budget_(&budget), size_(size) {}
        MemoryBudget* budget_;
        Bytes size_;
    };

    [[nodiscard]] Share take(Bytes size) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return used_.zero() || used_ + size <= total_; });
        used_ += size;
        return Share(*this, size);
    }

private:
    void give_back(Bytes size) {
        {
            std::lock_guard const lock(mutex_);
            used_ -= size;
        }
        changed_.notify_all();
    }

    Bytes total_;
    std::mutex mutex_;
    std::condition_variable changed_;
    Bytes used_{};  // guarded by mutex_
};

}  // namespace lull::subscriber
