#pragma once

#include <deque>

#include "core/units.hpp"

namespace lull::broker {

// How much the delay of a path varies although hardly anybody uses it, as on wifi and LTE: what must not be taken for
// congestion. Learns from samples that were taken while our own rate was low.
class PathNoise {
public:
    // A group of samples counts only if one of them met hardly any queue: where others keep a queue, none does.
    void add(Duration queue);

    // Nine of ten samples of a group lie below it, in the quieter of the last groups: noise is in all of them, others'
    // bursts in some. Zero until there is a group.
    [[nodiscard]] Duration level() const { return level_; }
    // Half of the last samples lie below it: others' bursts hardly lift it, jitter of every packet does.
    [[nodiscard]] Duration jitter() const { return jitter_; }

private:
    void close_group();

    std::deque<Duration> group_;
    std::deque<Duration> levels_;  // of the last groups
    Duration level_{};
    std::deque<Duration> last_;
    Duration jitter_{};
};

}  // namespace lull::broker
