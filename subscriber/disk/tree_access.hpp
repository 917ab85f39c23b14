#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>

#include "schema/ids.hpp"

namespace lull::subscriber {

// Which thread may change trees: for each software one writer, and the scanner when there is no writer at all.
class TreeAccess {
public:
    // The right to change trees, until the object ends.
    class Turn {
    public:
        ~Turn() { release(); }
        Turn(Turn&& other) noexcept
            : access_(std::exchange(other.access_, nullptr)),
              software_(std::move(other.software_)) {}
        Turn& operator=(Turn&&) = delete;

    private:
        friend class TreeAccess;
        Turn(TreeAccess& access, std::optional<SoftwareName> software)
            : access_(&access),
              software_(std::move(software)) {}
        void release() {
            if (access_ != nullptr) access_->end(software_);
        }
        TreeAccess* access_;
        std::optional<SoftwareName> software_;  // nothing: the scanner
    };

    // Waits until no other thread changes trees of this software. The scanner stops after the piece that it is at.
    [[nodiscard]] Turn take(SoftwareName const& software) {
        std::unique_lock lock(mutex_);
        ++wanted_;
        changed_.wait(lock, [&] { return !scanning_ && !written_.contains(software); });
        --wanted_;
        written_.insert(software);
        return Turn(*this, software);
    }
    // For the scanner, which then asks wanted() all the time. Nothing if it was stopped before its turn came.
    [[nodiscard]] std::optional<Turn> take_when_idle(std::stop_token const& stop) {
        std::unique_lock lock(mutex_);
        bool const idle = changed_.wait(lock, stop, [&] { return !scanning_ && written_.empty() && wanted_ == 0; });
        if (!idle) return std::nullopt;
        scanning_ = true;
        return Turn(*this, std::nullopt);
    }
    // Whether a writer waits.
    [[nodiscard]] bool wanted() const { return wanted_ > 0; }

private:
    void end(std::optional<SoftwareName> const& software) {
        {
            std::lock_guard const lock(mutex_);
            if (software) {
                written_.erase(*software);
            } else {
                scanning_ = false;
            }
        }
        changed_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::set<SoftwareName> written_;  // guarded by mutex_
    bool scanning_ = false;           // guarded by mutex_
    std::atomic<int> wanted_ = 0;
};

}  // namespace lull::subscriber
