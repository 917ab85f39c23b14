#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "schema/messages.hpp"

namespace lull::subscriber {

// How far a release has come on this node; durable.
enum class Phase : std::uint8_t {
    announced,
    fetching,
    staged,
    waiting,       // for those who use the release before it
    switching,
    active,
    failed,
    held,          // nobody may switch to it now: a hold, or outside of its time windows, or it is withdrawn
    probation,     // live, and not yet shown to work
    rolling_back,  // live, and shown not to work
    rolled_back,   // the release before it is live again; a newer one is waited for
    in_line,       // staged, and its turn in the rollout has not come, or the rollout is paused
};
constexpr Phase enum_last(Phase) { return Phase::in_line; }
[[nodiscard]] std::string_view to_text(Phase phase);

// What can happen to a release.
enum class Happening : std::uint8_t {
    plan_made,
    tree_staged,
    held_back,
    put_in_line,
    let_through,
    found_in_use,
    found_free,
    switched,
    switched_on_trial,
    found_healthy,
    found_unhealthy,
    tree_lost,
    given_up,
    try_again,
};
[[nodiscard]] std::string_view to_text(Happening happening);

// The table of transitions; nothing: this cannot happen in that phase. A newer release replaces the target in any
// phase.
[[nodiscard]] std::optional<Phase> next_phase(Phase phase, Happening happening);

// What the ledger calls a phase.
[[nodiscard]] NodeState ledger_state(Phase phase);

}  // namespace lull::subscriber
