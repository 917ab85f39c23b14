#include <catch2/catch.hpp>

#include "tests/sim/simulation.hpp"

using namespace lull;
using namespace lull::sim;
using namespace std::chrono_literals;

namespace {

// Seeds of a scenario: LULL_SIM_SEEDS of them from LULL_SIM_SEED on.
struct Seeds {
    std::uint64_t first = 1;
    std::uint64_t count = 1;
};

Seeds seeds(std::uint64_t usual) {
    if (std::getenv("LULL_SIM_SEED") != nullptr) return {environment_number("LULL_SIM_SEED", 1), 1};
    return {1, environment_number("LULL_SIM_SEEDS", usual)};
}

// Runs a scenario with many seeds; each must keep all that is promised.
void run_seeds(Scenario const& scenario, std::uint64_t usual) {
    auto const range = seeds(usual);
    for (auto seed = range.first; seed < range.first + range.count; ++seed) {
        auto const violation = Simulation(scenario, seed).run();
        auto const name = Catch::getResultCapture().getCurrentTestName();
        INFO("seed " << seed << ", again: LULL_SIM_SEED=" << seed << " LULL_SIM_TRACE=1 sim '" << name.substr(0, name.find(',')) << "*'");
        REQUIRE(violation.value_or("") == "");
    }
}

Scenario unreliable_network() {
    Scenario scenario;
    scenario.network = {.announcement_lost = 0.3,
                        .announcement_twice = 0.2,
                        .announcement_late = 0.2,
                        .message_lost = 0.002,
                        .message_twice = 0.002,
                        .session_breaks = 0.002,
                        .break_untold = 0.3};
    return scenario;
}

Scenario everything() {
    auto scenario = unreliable_network();
    scenario.node = {.crash_at_action = 0.0005, .damage = 0.001, .use_unknown = 0.02};
    scenario.node_crashes = 20;
    scenario.node_holidays = 4;
    scenario.broker_crashes = 4;
    scenario.full_disks = 5;
    scenario.broker_disk_full = true;
    scenario.users = true;
    return scenario;
}

}  // namespace

TEST_CASE("loss, duplication, delay and broken sessions keep no node from the newest releases") {
    run_seeds(unreliable_network(), 20);
}

TEST_CASE("whatever crashes, fills up or is in use, all nodes get the newest releases and nothing acknowledged is lost") {
    run_seeds(everything(), 20);
}
