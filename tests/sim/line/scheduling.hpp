#pragma once

#include <cstdint>

#include "tests/sim/world.hpp"

namespace lull::sim {

// How late a program on a machine with other work runs: a little at each waking, and now and then a stall. Zeros: at
// once.
struct Lateness {
    Duration usual = std::chrono::microseconds(100);  // mean of a waking
    double sometimes = 0.05;                          // of the wakings are later, by up to `most`
    Duration most = std::chrono::milliseconds(2);
    Duration stall_every = std::chrono::seconds(5);  // on average; of half of `longest_stall` to all of it
    Duration longest_stall = std::chrono::milliseconds(10);
};

// One thread, which sleeps until something is there for it. What comes while it is late or stalled is handled all at
// once.
class Scheduling {
public:
    Scheduling(Lateness lateness, std::uint64_t seed);

    // How long what is there now waits until the thread handles it.
    [[nodiscard]] Duration wait(TimePoint now);

private:
    [[nodiscard]] Duration exponential(Duration mean);

    Lateness lateness_;
    Random random_;
    TimePoint awake_{};  // when it handles what is there
    TimePoint next_stall_{};
};

}  // namespace lull::sim
