#pragma once

#include <atomic>
#include <mutex>

namespace lull::subscriber {

// Who may change trees: the installer at once, the scanner when nobody else wants to.
class TreeAccess {
public:
    using Turn = std::unique_lock<std::mutex>;

    // Waits until the scanner has stopped, which it does after the piece that it is at.
    [[nodiscard]] Turn take() {
        ++wanted_;
        Turn turn(mutex_);
        --wanted_;
        return turn;
    }
    // For the scanner, which then asks wanted() all the time.
    [[nodiscard]] Turn take_when_idle() { return Turn(mutex_); }
    [[nodiscard]] bool wanted() const { return wanted_ > 0; }

private:
    std::mutex mutex_;
    std::atomic<int> wanted_ = 0;
};

}  // namespace lull::subscriber
