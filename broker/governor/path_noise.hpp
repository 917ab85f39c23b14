#pragma once

#include <deque>

#include "core/units.hpp"

namespace lull::broker {

// How much the delay of a path varies although hardly anybody uses it, as on wifi and LTE: what must not be taken for congestion.
// Learns from samples that were taken while our own rate was low.
class PathNoise {
public:
    // A group of samples counts only if one of them met hardly any queue: where others keep a queue, none does.
    void add(Duration queue);

    // 90 % of the samples of the last groups lie below it; zero until there are enough.
    [[nodiscard]] Duration level() const { return level_; }

private:
    void close_group();

    std::deque<Duration> group_;
    std::deque<Duration> kept_;
    Duration level_{};
};

}  // namespace lull::broker
