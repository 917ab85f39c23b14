#include "subscriber/phases.hpp"

#include <catch2/catch.hpp>

using namespace lull;
using namespace lull::subscriber;

namespace {

constexpr Phase phases[] = {Phase::announced, Phase::fetching, Phase::staged,    Phase::waiting,      Phase::switching,  Phase::active,
                            Phase::failed,    Phase::held,     Phase::probation, Phase::rolling_back, Phase::rolled_back,
                            Phase::in_line};
constexpr Happening happenings[] = {Happening::plan_made,   Happening::tree_staged, Happening::held_back,         Happening::let_through,
                                    Happening::found_in_use, Happening::found_free, Happening::switched,          Happening::switched_on_trial,
                                    Happening::found_healthy, Happening::found_unhealthy, Happening::tree_lost,   Happening::given_up,
                                    Happening::try_again,   Happening::put_in_line};
constexpr char const* none = "";

// What each happening (column, in the order above) makes of each phase (row). Written from DESIGN.md sections 5 and 7.
// clang-format off
constexpr char const* expected[12][14] = {
    //                  plan made   staged    held back  let through  in use     free         switched       on trial    healthy   unhealthy       tree lost    given up  try again    put in line
    /* announced    */ {"fetching", none,     "held",    none,         none,      none,        none,          none,       none,     none,           none,         "failed", none,        none},
    /* fetching     */ {none,       "staged", "held",    none,         none,      none,        none,          none,       none,     none,           none,         "failed", none,        none},
    /* staged       */ {none,       none,     "held",    none,         "waiting", "switching", none,          none,       none,     none,           "announced",  none,     none,        "in line"},
    /* waiting      */ {none,       none,     "held",    none,         "waiting", "switching", none,          none,       none,     none,           "announced",  none,     none,        "in line"},
    /* switching    */ {none,       none,     "held",    none,         none,      none,        "active",      "on trial", none,     none,           "announced",  "failed", none,        "in line"},
    /* active       */ {none,       none,     none,      none,         none,      none,        none,          none,       none,     none,           "announced",  none,     none,        none},
    /* failed       */ {none,       none,     none,      none,         none,      none,        none,          none,       none,     none,           none,         none,     "announced", none},
    /* held         */ {none,       none,     "held",    "staged",     none,      none,        none,          none,       none,     none,           "announced",  none,     "announced", "in line"},
    /* probation    */ {none,       none,     none,      none,         none,      none,        none,          none,       "active", "rolling back", none,         "failed", none,        none},
    /* rolling back */ {none,       none,     none,      none,         none,      none,        "rolled back", none,       none,     none,           none,         "failed", none,        none},
    /* rolled back  */ {none,       none,     none,      none,         none,      none,        none,          none,       none,     none,           "announced",  none,     none,        none},
    /* in line      */ {none,       none,     "held",    "staged",     none,      none,        none,          none,       none,     none,           "announced",  none,     none,        "in line"},
};
// clang-format on

}  // namespace

TEST_CASE("each phase goes on exactly as the table says") {
    for (std::size_t p = 0; p < std::size(phases); ++p) {
        for (std::size_t h = 0; h < std::size(happenings); ++h) {
            INFO(to_text(phases[p]) << " + " << to_text(happenings[h]));
            auto const next = next_phase(phases[p], happenings[h]);
            CHECK((next ? to_text(*next) : "") == std::string_view(expected[p][h]));
        }
    }
    CHECK(std::size(phases) == static_cast<std::size_t>(enum_last(Phase{})) + 1);
}

TEST_CASE("the ledger hears of each phase in its own words") {
    CHECK(ledger_state(Phase::announced) == NodeState::announced);
    CHECK(ledger_state(Phase::fetching) == NodeState::downloading);
    CHECK(ledger_state(Phase::staged) == NodeState::distributed);
    CHECK(ledger_state(Phase::waiting) == NodeState::waiting);
    CHECK(ledger_state(Phase::switching) == NodeState::distributed);
    CHECK(ledger_state(Phase::active) == NodeState::active);
    CHECK(ledger_state(Phase::failed) == NodeState::failed);
    CHECK(ledger_state(Phase::held) == NodeState::held);
    CHECK(ledger_state(Phase::probation) == NodeState::distributed);
    CHECK(ledger_state(Phase::rolling_back) == NodeState::failed);
    CHECK(ledger_state(Phase::rolled_back) == NodeState::rolled_back);
    CHECK(ledger_state(Phase::in_line) == NodeState::distributed);
}
