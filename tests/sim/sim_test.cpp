#include <catch2/catch.hpp>
#include <cstdlib>

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

// ---- controls: a shell with a bug, and the checker that must see it ----

namespace {

// The first of a few seeds with which this scenario is caught.
std::optional<std::uint64_t> caught_with(Scenario const& scenario) {
    constexpr std::uint64_t most_seeds = 12;
    for (std::uint64_t seed = 1; seed <= most_seeds; ++seed) {
        if (auto const violation = Simulation(scenario, seed).run()) {
            UNSCOPED_INFO("seed " << seed << ": " << *violation);
            return seed;
        }
    }
    return std::nullopt;
}

Scenario planted_in_nodes(NodePlant plant) {
    auto scenario = everything();
    scenario.node_plant = plant;
    return scenario;
}

}  // namespace

TEST_CASE("control: a node that takes batches for durable before they are is caught") {
    CHECK(caught_with(planted_in_nodes(NodePlant::tells_batches_early)));
}

TEST_CASE("control: a cursor that is written without the records that it passes is caught") {
    CHECK(caught_with(planted_in_nodes(NodePlant::cursor_without_records)));
}

TEST_CASE("control: bytes that are called durable without an fsync are caught") {
    CHECK(caught_with(planted_in_nodes(NodePlant::claims_unsynced_bytes)));
}

TEST_CASE("control: objects that are called good without a look at them are caught") {
    auto scenario = planted_in_nodes(NodePlant::skips_verification);
    scenario.node.damage = 0.01;
    CHECK(caught_with(scenario));
}

TEST_CASE("control: a detector that never finds anybody is caught") {
    CHECK(caught_with(planted_in_nodes(NodePlant::finds_nobody)));
}

TEST_CASE("control: a report that is said once only is caught when it gets lost") {
    auto scenario = planted_in_nodes(NodePlant::says_reports_once);
    scenario.network.message_lost = 0.05;
    CHECK(caught_with(scenario));
}

TEST_CASE("control: a session that broke in silence, and that nobody gives up, is caught") {
    auto scenario = everything();
    scenario.hidden_breaks = true;
    CHECK(caught_with(scenario));
}

TEST_CASE("control: a lock that outlives the look at who uses a version is caught") {
    auto scenario = planted_in_nodes(NodePlant::keeps_lock);
    scenario.releases = 16;
    CHECK(caught_with(scenario));
}

TEST_CASE("control: a broker that acknowledges before its disk does is caught") {
    auto scenario = everything();
    scenario.broker_crashes = 20;
    scenario.broker_plant = SimBroker::Plant::acknowledges_before_durable;
    CHECK(caught_with(scenario));
}
