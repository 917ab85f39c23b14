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
    waiting,  // for the users of the running version
    switching,
    active,
    failed,
    held,              // it may not become live now: a hold, or outside of its time windows, or it is withdrawn
    verifying,         // live, and not yet shown to work
    rolling_back,      // live, and shown not to work
    rolled_back,       // the release before it is live again; a newer one is waited for
    awaiting_rollout,  // staged, and its turn in the rollout has not come, or the rollout is paused
};
constexpr Phase enum_last(Phase) { return Phase::awaiting_rollout; }
[[nodiscard]] std::string_view to_text(Phase phase);

// What can happen to a release.
enum class Transition : std::uint8_t {
    plan_made,
    tree_staged,
    held_back,
    await_rollout,
    let_through,
    found_in_use,
    found_free,
    switched,
    switched_unverified,
    found_healthy,
    found_unhealthy,
    tree_lost,
    given_up,
    try_again,
};
[[nodiscard]] std::string_view to_text(Transition transition);

// The table of transitions; nothing: this cannot happen in that phase. A newer release replaces the target in any
// phase.
[[nodiscard]] std::optional<Phase> next_phase(Phase phase, Transition transition);

// The state of a release in this phase, as every program shows it. `awaiting_rollout` is reported as staged and
// shown as held: only the broker knows whose turn it is.
[[nodiscard]] NodeState node_state(Phase phase);

}  // namespace lull::subscriber
