#include "subscriber/model/phases.hpp"

#include <array>

namespace lull::subscriber {

namespace {

struct TransitionRow {
    Phase from;
    Transition what;
    Phase to;
};

// clang-format off
constexpr std::array table{
    TransitionRow{Phase::announced,    Transition::plan_made,         Phase::fetching},
    TransitionRow{Phase::fetching,     Transition::tree_staged,       Phase::staged},
    TransitionRow{Phase::staged,       Transition::held_back,         Phase::held},
    TransitionRow{Phase::waiting,      Transition::held_back,         Phase::held},
    TransitionRow{Phase::held,         Transition::held_back,         Phase::held},
    TransitionRow{Phase::awaiting_rollout,      Transition::held_back,         Phase::held},
    TransitionRow{Phase::switching,    Transition::held_back,         Phase::held},
    TransitionRow{Phase::announced,    Transition::held_back,         Phase::held},
    TransitionRow{Phase::fetching,     Transition::held_back,         Phase::held},
    TransitionRow{Phase::staged,       Transition::await_rollout,       Phase::awaiting_rollout},
    TransitionRow{Phase::waiting,      Transition::await_rollout,       Phase::awaiting_rollout},
    TransitionRow{Phase::held,         Transition::await_rollout,       Phase::awaiting_rollout},
    TransitionRow{Phase::awaiting_rollout,      Transition::await_rollout,       Phase::awaiting_rollout},
    TransitionRow{Phase::switching,    Transition::await_rollout,       Phase::awaiting_rollout},
    TransitionRow{Phase::held,         Transition::let_through,       Phase::staged},
    TransitionRow{Phase::awaiting_rollout,      Transition::let_through,       Phase::staged},
    TransitionRow{Phase::staged,       Transition::found_in_use,      Phase::waiting},
    TransitionRow{Phase::waiting,      Transition::found_in_use,      Phase::waiting},
    TransitionRow{Phase::staged,       Transition::found_free,        Phase::switching},
    TransitionRow{Phase::waiting,      Transition::found_free,        Phase::switching},
    TransitionRow{Phase::switching,    Transition::let_through,       Phase::staged},
    TransitionRow{Phase::switching,    Transition::switched,          Phase::active},
    TransitionRow{Phase::switching,    Transition::switched_unverified, Phase::verifying},
    TransitionRow{Phase::verifying,    Transition::found_healthy,     Phase::active},
    TransitionRow{Phase::verifying,    Transition::found_unhealthy,   Phase::rolling_back},
    TransitionRow{Phase::rolling_back, Transition::switched,          Phase::rolled_back},
    TransitionRow{Phase::staged,       Transition::tree_lost,         Phase::announced},
    TransitionRow{Phase::waiting,      Transition::tree_lost,         Phase::announced},
    TransitionRow{Phase::held,         Transition::tree_lost,         Phase::announced},
    TransitionRow{Phase::awaiting_rollout,      Transition::tree_lost,         Phase::announced},
    TransitionRow{Phase::switching,    Transition::tree_lost,         Phase::announced},
    TransitionRow{Phase::active,       Transition::tree_lost,         Phase::announced},
    TransitionRow{Phase::rolled_back,  Transition::tree_lost,         Phase::announced},
    TransitionRow{Phase::announced,    Transition::given_up,          Phase::failed},
    TransitionRow{Phase::fetching,     Transition::given_up,          Phase::failed},
    TransitionRow{Phase::switching,    Transition::given_up,          Phase::failed},
    TransitionRow{Phase::verifying,    Transition::given_up,          Phase::failed},
    TransitionRow{Phase::rolling_back, Transition::given_up,          Phase::failed},
    TransitionRow{Phase::failed,       Transition::try_again,         Phase::announced},
    TransitionRow{Phase::rolled_back,  Transition::try_again,         Phase::announced},
    TransitionRow{Phase::held,         Transition::try_again,         Phase::announced},
};
// clang-format on

}  // namespace

std::optional<Phase> next_phase(Phase phase, Transition transition) {
    for (auto const& row : table) {
        if (row.from == phase && row.what == transition) return row.to;
    }
    return std::nullopt;
}

std::string_view to_text(Phase phase) {
    switch (phase) {
        case Phase::announced: return "announced";
        case Phase::fetching: return "fetching";
        case Phase::staged: return "staged";
        case Phase::waiting: return "waiting";
        case Phase::switching: return "switching";
        case Phase::active: return "active";
        case Phase::failed: return "failed";
        case Phase::held: return "held";
        case Phase::verifying: return "verifying";
        case Phase::rolling_back: return "failed";
        case Phase::rolled_back: return "rolled-back";
        case Phase::awaiting_rollout: return "held";
    }
    return "?";
}

std::string_view to_text(Transition transition) {
    switch (transition) {
        case Transition::plan_made: return "plan made";
        case Transition::tree_staged: return "tree staged";
        case Transition::held_back: return "held back";
        case Transition::await_rollout: return "await rollout";
        case Transition::let_through: return "let through";
        case Transition::found_in_use: return "found in use";
        case Transition::found_free: return "found free";
        case Transition::switched: return "switched";
        case Transition::switched_unverified: return "switched, not verified yet";
        case Transition::found_healthy: return "found healthy";
        case Transition::found_unhealthy: return "found unhealthy";
        case Transition::tree_lost: return "tree lost";
        case Transition::given_up: return "given up";
        case Transition::try_again: return "try again";
    }
    return "?";
}

NodeState node_state(Phase phase) {
    switch (phase) {
        case Phase::announced: return NodeState::announced;
        case Phase::fetching: return NodeState::fetching;
        case Phase::staged:
        case Phase::awaiting_rollout: return NodeState::staged;
        case Phase::switching: return NodeState::switching;
        case Phase::verifying: return NodeState::verifying;
        case Phase::held: return NodeState::held;
        case Phase::waiting: return NodeState::waiting;
        case Phase::active: return NodeState::active;
        case Phase::failed:
        case Phase::rolling_back: return NodeState::failed;
        case Phase::rolled_back: return NodeState::rolled_back;
    }
    return NodeState::failed;
}

}  // namespace lull::subscriber
