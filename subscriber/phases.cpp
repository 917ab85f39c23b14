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
    Transition{Phase::announced, Happening::plan_made,    Phase::fetching},
    Transition{Phase::fetching,  Happening::tree_staged,  Phase::staged},
    Transition{Phase::staged,    Happening::found_in_use, Phase::waiting},
    Transition{Phase::waiting,   Happening::found_in_use, Phase::waiting},
    Transition{Phase::staged,    Happening::found_free,   Phase::switching},
    Transition{Phase::waiting,   Happening::found_free,   Phase::switching},
    Transition{Phase::switching, Happening::switched,     Phase::active},
    Transition{Phase::staged,    Happening::tree_lost,    Phase::announced},
    Transition{Phase::waiting,   Happening::tree_lost,    Phase::announced},
    Transition{Phase::switching, Happening::tree_lost,    Phase::announced},
    Transition{Phase::active,    Happening::tree_lost,    Phase::announced},
    Transition{Phase::announced, Happening::given_up,     Phase::failed},
    Transition{Phase::fetching,  Happening::given_up,     Phase::failed},
    Transition{Phase::switching, Happening::given_up,     Phase::failed},
    Transition{Phase::failed,    Happening::try_again,    Phase::announced},
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
    }
    return "?";
}

std::string_view to_text(Happening happening) {
    switch (happening) {
        case Happening::plan_made: return "plan made";
        case Happening::tree_staged: return "tree staged";
        case Happening::found_in_use: return "found in use";
        case Happening::found_free: return "found free";
        case Happening::switched: return "switched";
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
        case Phase::switching: return NodeState::distributed;
        case Phase::waiting: return NodeState::waiting;
        case Phase::active: return NodeState::active;
        case Phase::failed: return NodeState::failed;
    }
    return NodeState::failed;
}

}  // namespace lull::subscriber
