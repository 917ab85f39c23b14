#pragma once

#include "broker/delivery/governor/urgency.hpp"
#include "core/byte_rate.hpp"

namespace lull::broker {

// The constants of PathController. Found with tests/sim/line on seeds 1-8; docs/governor.md has the figures on other
// seeds.
struct PathTuning {
    // Queueing above which a path counts as busy, by urgency.
    Duration urgent = std::chrono::milliseconds(8);
    Duration normal = std::chrono::microseconds(3200);
    Duration background = std::chrono::microseconds(2100);
    Duration least_threshold = std::chrono::milliseconds(1);
    double of_round_trip = 0.25;  // normal; on short ways what others wait is short as well

    // Noise of the path. Late: nine of ten samples of a hardly used path lie below; jitter: half of them do.
    double late_factor = 1.5;  // the threshold is this times what is late, at most ...
    Duration most_late_threshold = std::chrono::milliseconds(15);
    double jitter_factor = 2.8;  // ... and this times the jitter, at most ...
    Duration most_threshold = std::chrono::milliseconds(40);
    double window_factor = 3;  // a queue must stand for this times the jitter above what is plain
    Duration plain_jitter = std::chrono::microseconds(1500);
    Duration least_window = std::chrono::milliseconds(2);
    Duration most_window = std::chrono::milliseconds(100);
    double stall =
        0.5;  // frames that arrive closer than this times their time at the learned capacity were held up together

    double startup_bound = 1.6;  // of the delivered rate
    double ceiling = 0.97;       // of the learned capacity
    double least_growth = 0.02;  // a round, on a clean line
    double most_growth = 0.5;
    Duration episode = std::chrono::milliseconds(1200);  // after a congestion: others were here lately
    Duration recover = std::chrono::seconds(1);          // from nothing to the capacity, in an episode
    Duration explore_every = std::chrono::seconds(3);    // a probe above the learned capacity
    double explore = 0.03;

    double cut = 0.95;           // of the rate, after a congestion
    double cut_below = 0.9;      // where the path has given more before: others take part of it
    double deep_cut = 0.5;       // far over the threshold
    double surviving_cut = 0.5;  // for a queue that stays while we are silent: somebody else's
    double far = 6;              // thresholds
    double pause = 1;            // of the queue: for so long nothing is sent after a congestion
    Duration most_pause = std::chrono::milliseconds(250);
    Duration probe_gap = std::chrono::milliseconds(5);  // of tiny probes in a pause

    double persistent_queue = 0.6;  // busy for this share of `persistent_queue_memory`: data stops
    Duration persistent_queue_memory = std::chrono::milliseconds(120);
    double floor = 0.04;                                       // of the learned capacity: below it data stops
    double progress = 0.005;                                   // of the learned capacity, whatever happens
    Duration yield_probe_gap = std::chrono::milliseconds(50);  // when data has stopped
    double resume = 0.4;                                       // of the learned capacity
    Duration long_yield = std::chrono::milliseconds(700);      // after which the line is taken for clean

    Duration shared_after = std::chrono::seconds(1);  // of queueing at a low delivered rate: fair queueing
    double shared_below = 0.8;                        // of the learned capacity
    Duration least_retreat = std::chrono::seconds(2);
    Duration most_retreat = std::chrono::seconds(10);

    bool operator==(PathTuning const&) const = default;

    [[nodiscard]] Duration threshold(Urgency urgency) const {
        return urgency >= Urgency::urgent ? urgent : urgency == Urgency::normal ? normal : background;
    }
};

}  // namespace lull::broker
