#pragma once

#include "tests/sim/line/experiment.hpp"

namespace lull::sim {

// One run against the same run without us: always the pair of harm and use.
struct Figures {
    double p50 = 1;  // of others' requests (or round trips of their packets), as a multiple of alone
    double p99 = 1;
    double residual = 0;   // share of what others leave that we used
    double kept = 1;       // share of what a download has alone that it keeps
    double gone = 0;       // s until less than a tenth of the line is ours after a download begins
    double back = 0;       // s until four fifths are ours after it ends
    double queue_p50 = 0;  // ms in the bottleneck, whoever put it there
    double queue_p99 = 0;
    double jain = 1;  // fairness among nodes
    double mbit = 0;  // ours, after the warm-up
};

[[nodiscard]] Figures compare(Setting const& setting, Outcome const& with_us, Outcome const& alone);

// Runs both.
[[nodiscard]] Figures measure(Setting const& setting, Sending const& sending, std::uint64_t seed);

// Each figure's median over runs.
[[nodiscard]] Figures median(std::vector<Figures> const& runs);

// The value below which this share of the values lies; zero for none.
[[nodiscard]] double percentile(std::vector<double> values, double share);

}  // namespace lull::sim
