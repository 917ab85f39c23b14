#include "subscriber/phases.hpp"

#include <array>

namespace lull::subscriber {

namespace {

struct Transition {
    Phase from;
    Happening what;
    Phase to;
};

// clang-format off
constexpr std::array table{
    Transition{Phase::announced,    Happening::plan_made,         Phase::fetching},
    Transition{Phase::fetching,     Happening::tree_staged,       Phase::staged},
    Transition{Phase::staged,       Happening::held_back,         Phase::held},
    Transition{Phase::waiting,      Happening::held_back,         Phase::held},
    Transition{Phase::held,         Happening::held_back,         Phase::held},
    Transition{Phase::in_line,      Happening::held_back,         Phase::held},
    Transition{Phase::switching,    Happening::held_back,         Phase::held},
    Transition{Phase::announced,    Happening::held_back,         Phase::held},
    Transition{Phase::fetching,     Happening::held_back,         Phase::held},
    Transition{Phase::staged,       Happening::put_in_line,       Phase::in_line},
    Transition{Phase::waiting,      Happening::put_in_line,       Phase::in_line},
    Transition{Phase::held,         Happening::put_in_line,       Phase::in_line},
    Transition{Phase::in_line,      Happening::put_in_line,       Phase::in_line},
    Transition{Phase::switching,    Happening::put_in_line,       Phase::in_line},
    Transition{Phase::held,         Happening::let_through,       Phase::staged},
    Transition{Phase::in_line,      Happening::let_through,       Phase::staged},
    Transition{Phase::staged,       Happening::found_in_use,      Phase::waiting},
    Transition{Phase::waiting,      Happening::found_in_use,      Phase::waiting},
    Transition{Phase::staged,       Happening::found_free,        Phase::switching},
    Transition{Phase::waiting,      Happening::found_free,        Phase::switching},
    Transition{Phase::switching,    Happening::switched,          Phase::active},
    Transition{Phase::switching,    Happening::switched_on_trial, Phase::probation},
    Transition{Phase::probation,    Happening::found_healthy,     Phase::active},
    Transition{Phase::probation,    Happening::found_unhealthy,   Phase::rolling_back},
    Transition{Phase::rolling_back, Happening::switched,          Phase::rolled_back},
    Transition{Phase::staged,       Happening::tree_lost,         Phase::announced},
    Transition{Phase::waiting,      Happening::tree_lost,         Phase::announced},
    Transition{Phase::held,         Happening::tree_lost,         Phase::announced},
    Transition{Phase::in_line,      Happening::tree_lost,         Phase::announced},
    Transition{Phase::switching,    Happening::tree_lost,         Phase::announced},
    Transition{Phase::active,       Happening::tree_lost,         Phase::announced},
    Transition{Phase::rolled_back,  Happening::tree_lost,         Phase::announced},
    Transition{Phase::announced,    Happening::given_up,          Phase::failed},
    Transition{Phase::fetching,     Happening::given_up,          Phase::failed},
    Transition{Phase::switching,    Happening::given_up,          Phase::failed},
    Transition{Phase::probation,    Happening::given_up,          Phase::failed},
    Transition{Phase::rolling_back, Happening::given_up,          Phase::failed},
    Transition{Phase::failed,       Happening::try_again,         Phase::announced},
    Transition{Phase::held,         Happening::try_again,         Phase::announced},
};
// clang-format on

}  // namespace

std::optional<Phase> next_phase(Phase phase, Happening happening) {
    for (auto const& row : table) {
        if (row.from == phase && row.what == happening) return row.to;
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
        case Phase::probation: return "on trial";
        case Phase::rolling_back: return "rolling back";
        case Phase::rolled_back: return "rolled back";
        case Phase::in_line: return "in line";
    }
    return "?";
}

std::string_view to_text(Happening happening) {
    switch (happening) {
        case Happening::plan_made: return "plan made";
        case Happening::tree_staged: return "tree staged";
        case Happening::held_back: return "held back";
        case Happening::put_in_line: return "put in line";
        case Happening::let_through: return "let through";
        case Happening::found_in_use: return "found in use";
        case Happening::found_free: return "found free";
        case Happening::switched: return "switched";
        case Happening::switched_on_trial: return "switched on trial";
        case Happening::found_healthy: return "found healthy";
        case Happening::found_unhealthy: return "found unhealthy";
        case Happening::tree_lost: return "tree lost";
        case Happening::given_up: return "given up";
        case Happening::try_again: return "try again";
    }
    return "?";
}

NodeState ledger_state(Phase phase) {
    switch (phase) {
        case Phase::announced: return NodeState::announced;
        case Phase::fetching: return NodeState::downloading;
        case Phase::staged:
        case Phase::in_line:
        case Phase::switching:
        case Phase::probation: return NodeState::distributed;
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
