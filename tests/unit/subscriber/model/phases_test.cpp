#include "subscriber/model/phases.hpp"

#include <catch2/catch.hpp>
#include <optional>

namespace phases_test {

using namespace lull;
using namespace lull::subscriber;

namespace {

constexpr Phase phases[] = {Phase::announced, Phase::fetching,     Phase::staged,      Phase::waiting,
                            Phase::switching, Phase::active,       Phase::failed,      Phase::held,
                            Phase::verifying, Phase::rolling_back, Phase::rolled_back, Phase::awaiting_rollout};
constexpr Transition transitions[] = {
    Transition::plan_made,     Transition::tree_staged,     Transition::held_back, Transition::let_through,
    Transition::found_in_use,  Transition::found_free,      Transition::switched,  Transition::switched_unverified,
    Transition::found_healthy, Transition::found_unhealthy, Transition::tree_lost, Transition::given_up,
    Transition::try_again,     Transition::await_rollout};
constexpr auto none = std::nullopt;
constexpr auto announced = Phase::announced, fetching = Phase::fetching, staged = Phase::staged,
               waiting = Phase::waiting;
constexpr auto switching = Phase::switching, active = Phase::active, verifying = Phase::verifying,
               failed = Phase::failed;
constexpr auto rolling_back = Phase::rolling_back, rolled_back = Phase::rolled_back, held = Phase::held;
constexpr auto awaiting = Phase::awaiting_rollout;

// What each transition (column, in the order above) makes of each phase (row).
// clang-format off
constexpr std::optional<Phase> expected[12][14] = {
    /* announced    */ {fetching, none  , held, none  , none   , none     , none       , none     , none  , none        , none     , failed, none     , none},
    /* fetching     */ {none    , staged, held, none  , none   , none     , none       , none     , none  , none        , none     , failed, none     , none},
    /* staged       */ {none    , none  , held, none  , waiting, switching, none       , none     , none  , none        , announced, none  , none     , awaiting},
    /* waiting      */ {none    , none  , held, none  , waiting, switching, none       , none     , none  , none        , announced, none  , none     , awaiting},
    /* switching    */ {none    , none  , held, staged, none   , none     , active     , verifying, none  , none        , announced, failed, none     , awaiting},
    /* active       */ {none    , none  , none, none  , none   , none     , none       , none     , none  , none        , announced, none  , none     , none},
    /* failed       */ {none    , none  , none, none  , none   , none     , none       , none     , none  , none        , none     , none  , announced, none},
    /* held         */ {none    , none  , held, staged, none   , none     , none       , none     , none  , none        , announced, none  , announced, awaiting},
    /* verifying    */ {none    , none  , none, none  , none   , none     , none       , none     , active, rolling_back, none     , failed, none     , none},
    /* rolling back */ {none    , none  , none, none  , none   , none     , rolled_back, none     , none  , none        , none     , failed, none     , none},
    /* rolled back  */ {none    , none  , none, none  , none   , none     , none       , none     , none  , none        , announced, none  , announced, none},
    /* awaiting     */ {none    , none  , held, staged, none   , none     , none       , none     , none  , none        , announced, none  , none     , awaiting},
};
// clang-format on

}  // namespace

TEST_CASE("each phase goes on exactly as the table says") {
    for (std::size_t p = 0; p < std::size(phases); ++p) {
        for (std::size_t h = 0; h < std::size(transitions); ++h) {
            INFO(to_text(phases[p]) << " + " << to_text(transitions[h]));
            auto const next = next_phase(phases[p], transitions[h]);
            CHECK(next == expected[p][h]);
        }
    }
    CHECK(std::size(phases) == static_cast<std::size_t>(enum_last(Phase{})) + 1);
}

TEST_CASE("the ledger hears of each phase in its own words") {
    CHECK(node_state(Phase::announced) == NodeState::announced);
    CHECK(node_state(Phase::fetching) == NodeState::fetching);
    CHECK(node_state(Phase::staged) == NodeState::staged);
    CHECK(node_state(Phase::waiting) == NodeState::waiting);
    CHECK(node_state(Phase::switching) == NodeState::switching);
    CHECK(node_state(Phase::active) == NodeState::active);
    CHECK(node_state(Phase::failed) == NodeState::failed);
    CHECK(node_state(Phase::held) == NodeState::held);
    CHECK(node_state(Phase::verifying) == NodeState::verifying);
    CHECK(node_state(Phase::rolling_back) == NodeState::failed);
    CHECK(node_state(Phase::rolled_back) == NodeState::rolled_back);
    CHECK(node_state(Phase::awaiting_rollout) == NodeState::staged);
}

}  // namespace phases_test
