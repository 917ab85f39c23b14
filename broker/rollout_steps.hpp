#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "schema/messages.hpp"

// When the next nodes' turn comes in the rollout of a release. Free of I/O and of time but for what it is given.

namespace lull::broker {

// How a node stands to a release. blocked: it is in use there, or held, or the node takes longer than the others are to wait. away: the node
// has not been heard of for long, and counts as if it were not there.
enum class Standing : std::uint8_t { pending, done, failed, blocked, away };

struct NodeInRollout {
    std::uint64_t place = 0;  // place_in_rollout()
    Standing standing = Standing::pending;
};

// Whose turn it is: as the order says that the nodes are given.
struct RolloutTurn {
    std::uint64_t stage = 0;     // from 0
    std::uint64_t upto = 0;      // places up to this one
    WallTime since;              // of the stage
    std::uint64_t forgiven = 0;  // failed nodes that an operator has accepted
    bool operator==(RolloutTurn const&) const = default;
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

// A stage ends when all of its nodes are done, failed or blocked, one of them at least not blocked, and it has lasted its time. If all are
// blocked, others take part in their place, until there are twice as many. More failures than the rollout permits halt it. No turn: it begins.
[[nodiscard]] RolloutStep next_step(Rollout const& rollout, std::optional<RolloutTurn> const& turn, std::vector<NodeInRollout> nodes, WallTime now);

// What there is to say of a rollout whose turn this is.
[[nodiscard]] RolloutProgress progress_of(Rollout const& rollout, RolloutTurn const& turn, std::vector<NodeInRollout> const& nodes);

}  // namespace lull::broker
