#pragma once

#include "broker/governor/urgency.hpp"
#include "core/byte_rate.hpp"

namespace lull::broker {

// The constants of PathController. Found with tests/sim/line on seeds 1-20; docs/governor.md has the figures on other seeds.
struct PathTuning {
    // Queueing above which a path counts as busy, by urgency.
    Duration urgent = std::chrono::milliseconds(6);
    Duration normal = std::chrono::milliseconds(4);
    Duration background = std::chrono::milliseconds(2);
    Duration least_threshold = std::chrono::milliseconds(1);
    Duration most_threshold = std::chrono::milliseconds(15);
    double of_round_trip = 0.25;  // on short ways: what others wait there is short as well
    double noise_factor = 1.5;  // above what an almost idle path shows

    double startup_bound = 1.6;   // of the delivered rate
    double ceiling = 0.97;        // of the learned capacity
    double least_growth = 0.02;   // a round
    double most_growth = 0.5;
    Duration knee_memory = std::chrono::seconds(3);  // for which growth is slow near the rate of the last congestion
    double first_cut = 0.89;      // the first two congestions of an episode
    double cut = 0.84;            // further ones
    double deep_cut = 0.5;        // far over the threshold
    double surviving_cut = 0.5;   // for a queue that stays while we are silent: somebody else's
    double far = 6;               // thresholds
    double pause = 1;             // of the queue: for so long nothing is sent after a congestion
    Duration most_pause = std::chrono::milliseconds(250);
    double resume = 0.4;         // of the learned capacity
    double floor = 0.04;          // of the learned capacity: below it data stops
    double progress = 0.005;      // of the learned capacity, whatever happens
    Duration probe_gap = std::chrono::milliseconds(5);         // of tiny probes in a pause
    Duration yield_probe_gap = std::chrono::milliseconds(50);  // and when data has stopped
    Duration episode = std::chrono::milliseconds(1200);                // without congestion ends an episode
    Duration explore_every = std::chrono::seconds(10);         // a probe above the learned capacity
    double explore = 0.03;
    Duration shared_after = std::chrono::seconds(1);           // of queueing at a low delivered rate: fair queueing
    double shared_below = 0.8;                                 // of the learned capacity
    double siege = 0.5;           // busy for this share of `siege_memory`: data stops
    Duration siege_memory = std::chrono::milliseconds(200);
    double stall = 0.5;           // frames that arrive closer than this times their time at the learned capacity were held up by a stall
    Duration least_retreat = std::chrono::seconds(2);
    Duration most_retreat = std::chrono::seconds(10);

    [[nodiscard]] Duration threshold(Urgency urgency) const {
        return urgency >= Urgency::urgent ? urgent : urgency == Urgency::normal ? normal : background;
    }
};

}  // namespace lull::broker
