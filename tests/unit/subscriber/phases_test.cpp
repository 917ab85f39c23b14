#include "subscriber/phases.hpp"

#include <catch2/catch.hpp>

using namespace lull;
using namespace lull::subscriber;

namespace {

constexpr Phase phases[] = {Phase::announced, Phase::fetching, Phase::staged, Phase::waiting, Phase::switching, Phase::active, Phase::failed};
constexpr Happening happenings[] = {Happening::plan_made,  Happening::tree_staged, Happening::found_in_use, Happening::found_free,
                                    Happening::switched,   Happening::tree_lost,   Happening::given_up,     Happening::try_again};
constexpr char const* none = "";

// What each happening (column, in the order above) makes of each phase (row). Written from DESIGN.md section 5.
constexpr char const* expected[7][8] = {
    //             plan made   tree staged  in use     free         switched  tree lost    given up  try again
    /* announced */ {"fetching", none,       none,      none,        none,     none,        "failed", none},
    /* fetching  */ {none,       "staged",   none,      none,        none,     none,        "failed", none},
    /* staged    */ {none,       none,       "waiting", "switching", none,     "announced", none,     none},
    /* waiting   */ {none,       none,       "waiting", "switching", none,     "announced", none,     none},
    /* switching */ {none,       none,       none,      none,        "active", "announced", "failed", none},
    /* active    */ {none,       none,       none,      none,        none,     "announced", none,     none},
    /* failed    */ {none,       none,       none,      none,        none,     none,        none,     "announced"},
};

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
}
