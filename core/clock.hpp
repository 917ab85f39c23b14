#pragma once

#include "core/units.hpp"

namespace lull {

// Both clocks at one instant; what decision code is given.
struct Moment {
    TimePoint point;
    WallTime wall;
};

// Where time comes from. Logic takes `now` as a value; only shells hold a Clock.
class Clock {
public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual TimePoint now() const = 0;
    [[nodiscard]] virtual WallTime wall() const = 0;
    [[nodiscard]] Moment moment() const { return {now(), wall()}; }
};

// CLOCK_MONOTONIC and CLOCK_REALTIME.
class SystemClock final : public Clock {
public:
    [[nodiscard]] TimePoint now() const override { return std::chrono::steady_clock::now(); }
    [[nodiscard]] WallTime wall() const override {
        auto const since = std::chrono::system_clock::now().time_since_epoch();
        return WallTime{std::chrono::duration_cast<std::chrono::microseconds>(since).count()};
    }
};

}  // namespace lull
