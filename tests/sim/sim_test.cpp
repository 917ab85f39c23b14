#include <catch2/catch.hpp>
#include <cstdlib>
#include <functional>

#include "tests/sim/scenarios.hpp"

using namespace lull;
using namespace lull::sim;
using namespace std::chrono_literals;

namespace {

// Seeds of a scenario: LULL_SIM_SEEDS of them from LULL_SIM_FIRST on, or LULL_SIM_SEED alone.
struct Seeds {
    std::uint64_t first = 1;
    std::uint64_t count = 1;
};

Seeds seeds(std::uint64_t usual) {
    if (std::getenv("LULL_SIM_SEED") != nullptr) return {environment_number("LULL_SIM_SEED", 1), 1};
    return {environment_number("LULL_SIM_FIRST", 1), environment_number("LULL_SIM_SEEDS", usual)};
}

// What was reached goes to the file LULL_SIM_COVERAGE, if there is to be one.
void tell(Coverage const& coverage) {
    if (auto const* file = std::getenv("LULL_SIM_COVERAGE")) coverage.write(file);
    fmt::print("{} distinct standings of a release, {} steps, {} kinds of decisions of the broker\n",
               coverage.standings(), coverage.steps(), coverage.decisions());
}

// Runs many seeds, each in the scenario that it gives; each must keep all that is promised.
void run_seeds(std::function<Scenario(std::uint64_t)> const& scenario, std::uint64_t usual) {
    auto const range = seeds(usual);
    Coverage coverage;
    for (auto seed = range.first; seed < range.first + range.count; ++seed) {
        auto const violation = Simulation(scenario(seed), seed, coverage).run();
        auto const name = Catch::getResultCapture().getCurrentTestName();
        INFO("seed " << seed << ", again: LULL_SIM_SEED=" << seed << " LULL_SIM_TRACE=1 sim '"
                     << name.substr(0, name.find(',')) << "*'");
        CHECK(violation.value_or("") == "");
    }
    tell(coverage);
}

}  // namespace

TEST_CASE("loss, duplication, delay and broken sessions keep no node from the newest releases") {
    run_seeds([](auto) { return unreliable_network(); }, 10);
}

TEST_CASE(
    "whatever crashes, fills up or is in use, all nodes get the newest releases and nothing acknowledged is lost") {
    run_seeds([](auto) { return everything(); }, 10);
}

TEST_CASE("on disks with room for two versions and a bit, all nodes get the newest releases") {
    run_seeds([](auto) { return small_disks(); }, 10);
}

TEST_CASE("any mixture of troubles, on up to a hundred nodes, ends well") { run_seeds(some_of_it, 60); }

// ---- controls: a shell with a bug, and the checker that must see it ----

namespace {

// The first of a few seeds with which this scenario is caught.
std::optional<std::uint64_t> caught_with(Scenario const& scenario) {
    constexpr std::uint64_t most_seeds = 12;
    Coverage coverage;
    for (std::uint64_t seed = 1; seed <= most_seeds; ++seed) {
        if (auto const violation = Simulation(scenario, seed, coverage).run()) {
            fmt::print("caught with seed {}: {}\n", seed, *violation);
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

TEST_CASE("control: a switch that is told before its directory is durable is caught") {
    auto scenario = planted_in_nodes(NodePlant::forgets_directory_sync);
    scenario.meddling = 0;
    CHECK(caught_with(scenario));
}

TEST_CASE("control: a scan that overlooks what somebody changed is caught") {
    auto scenario = planted_in_nodes(NodePlant::overlooks_drift);
    scenario.meddling = 40;
    CHECK(caught_with(scenario));
}

TEST_CASE("control: a node that believes a delta without a look at the manifest is caught") {
    auto scenario = planted_in_nodes(NodePlant::trusts_deltas);
    scenario.patch_lies = 0.5;
    CHECK(caught_with(scenario));
}

TEST_CASE("control: a copy of the broker that gives numbers a second time is caught") {
    auto scenario = everything();
    scenario.restored = SimBroker::Copy::marked;
    scenario.clock_jumps = 0;
    scenario.broker_plant = SimBroker::Plant::reuses_numbers;
    CHECK(caught_with(scenario));
}

TEST_CASE("control: a broker that passes over what a node reports that was put back is caught") {
    auto scenario = everything();
    scenario.put_back = 10;
    scenario.broker_plant = SimBroker::Plant::trusts_revisions;
    CHECK(caught_with(scenario));
}

TEST_CASE("control: a broker that lets a removed node in after a restart is caught") {
    auto scenario = everything();
    scenario.removed = 10;
    scenario.broker_plant = SimBroker::Plant::keeps_removed;
    CHECK(caught_with(scenario));
}

TEST_CASE("control: a hold that the node does not hear of is caught") {
    CHECK(caught_with(planted_in_nodes(NodePlant::ignores_holds)));
}

TEST_CASE("control: a release that does not work, and whose health check is not run, is caught") {
    CHECK(caught_with(planted_in_nodes(NodePlant::calls_all_healthy)));
}

TEST_CASE("control: a node that keeps old versions where their room is needed is caught") {
    auto scenario = small_disks();
    scenario.node_plant = NodePlant::keeps_old_versions;
    CHECK(caught_with(scenario));
}

namespace {

Scenario ordered_with(SimBroker::Plant plant) {
    auto scenario = ordered();
    scenario.broker_plant = plant;
    return scenario;
}

Scenario ordered_with(NodePlant plant) {
    auto scenario = ordered();
    scenario.node_plant = plant;
    return scenario;
}

}  // namespace

TEST_CASE("control: a node that does not wait for its turn in a rollout is caught") {
    CHECK(caught_with(ordered_with(NodePlant::ignores_rollout)));
}

TEST_CASE("control: a node that runs hooks which its owner does not allow is caught") {
    CHECK(caught_with(ordered_with(NodePlant::runs_hooks_anyway)));
}

TEST_CASE("control: a broker that loses orders when it starts anew is caught") {
    CHECK(caught_with(ordered_with(SimBroker::Plant::forgets_orders)));
}

TEST_CASE("control: a broker that goes on with a rollout although nodes have failed is caught") {
    CHECK(caught_with(ordered_with(SimBroker::Plant::opens_all_stages)));
}

TEST_CASE("control: users who are ended for a switch and not started again are caught") {
    CHECK(caught_with(planted_in_nodes(NodePlant::leaves_users_ended)));
}
