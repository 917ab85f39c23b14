#pragma once

#include <optional>
#include <string>
#include <variant>

#include "broker/rollout/rollout_tally.hpp"
#include "schema/rollout.hpp"

// When the next nodes' turn comes in the rollout of a release. Free of I/O and of time but for what it is given.

namespace lull::broker {

// Whose turn it is: as the order says that the nodes are given.
struct RolloutTurn {
    std::uint64_t stage = 0;              // from 0
    std::uint64_t upto = 0;               // ranks up to this one
    WallTime since;                       // of the stage
    std::uint64_t accepted_failures = 0;  // failed nodes that an operator has accepted
    bool operator==(RolloutTurn const&) const = default;
};

// The time, and how long a stage waits for nodes that come to no end: later they count as blocked.
struct RolloutClock {
    WallTime now;
    Duration patience = Duration::max();
};

namespace rollout_step {
struct Stay {};
struct Open {  // the next stage, or more nodes for this one, or this one anew
    RolloutTurn turn;
};
struct Halt {
    std::string why;
};
}  // namespace rollout_step
using RolloutStep = std::variant<rollout_step::Stay, rollout_step::Open, rollout_step::Halt>;

// A stage ends when all of its nodes are done, failed or blocked, one of them at least not blocked, and it has lasted
// its time. If all are blocked, others take part in their place, until there are twice as many. More failures than the
// rollout permits halt it. No turn: it begins. The tally is open up to the turn's rank.
[[nodiscard]] RolloutStep next_step(Rollout const& rollout, std::optional<RolloutTurn> const& turn,
                                    RolloutTally const& nodes, RolloutClock const& clock);

// What there is to say of a rollout whose turn this is.
[[nodiscard]] RolloutProgress progress_of(Rollout const& rollout, RolloutTurn const& turn, RolloutTally const& nodes,
                                          RolloutClock const& clock);

}  // namespace lull::broker
