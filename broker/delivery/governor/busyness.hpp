#pragma once

#include <algorithm>

#include "core/byte_rate.hpp"

namespace lull::broker {

// The share of time, of late, in which a path was busy: a mean that forgets over `memory`.
class Busyness {
public:
    explicit Busyness(Duration memory) : memory_(memory) {}

    enum class State { quiet, busy };
    void add(State state, TimePoint when) {
        auto const passed = std::clamp<Duration>(when - seen_, Duration::zero(), memory_);
        seen_ = std::max(seen_, when);
        share_ += ((state == State::busy ? 1 : 0) - share_) * (to_seconds(passed) / to_seconds(memory_));
    }
    [[nodiscard]] double share() const { return share_; }

private:
    Duration memory_;
    TimePoint seen_{};
    double share_ = 0;
};

}  // namespace lull::broker
