#pragma once

#include <memory>
#include <span>

#include "tests/sim/sim_node.hpp"
#include "tests/sim/sim_operator.hpp"
#include "tests/sim/sim_publisher.hpp"

namespace lull::sim {

// What happens in a run, as far as it is not left to chance.
struct Scenario {
    std::size_t nodes = 20;
    std::size_t software = 3;
    std::size_t releases = 4;                     // of each software
    Duration trouble = std::chrono::minutes(15);  // how long releases come out and things go wrong
    Duration scan = std::chrono::minutes(2);      // how often nodes look at their trees
    NetworkFaults network{};
    NodeFaults node{};
    std::size_t node_crashes = 0;   // in all
    std::size_t node_holidays = 0;  // nodes that are off for minutes
    std::size_t broker_crashes = 0;
    std::size_t full_disks = 0;     // nodes whose disk is full for a while
    bool broker_disk_full = false;  // for a while
    bool users = false;
    std::size_t partitions = 0;                 // nodes that are cut off for a while, in silence
    std::size_t clock_jumps = 0;                // of a node's or the broker's wall clock, up to ten years
    std::size_t meddling = 0;                   // files, trees and links that somebody changes
    std::optional<SimBroker::Copy> restored{};  // once; what is lost is published again when all is calm
    std::optional<double>
        broken{};              // releases say how they become live; share of those with a health check that fails it
    std::size_t holds = 0;     // nodes that somebody holds for a while
    double patch_lies = 0;     // probability that a delta gives other bytes
    std::size_t orders = 0;    // that an operator gives or takes back
    bool staged = false;       // releases have rollouts and hooks, some of them
    std::size_t put_back = 0;  // nodes that are put back to an older copy of themselves
    std::size_t removed = 0;   // nodes that an operator takes out of the fleet; half of them are enrolled anew
    std::size_t gone = 0;      // nodes that do not come back when all is calm
    double back = 0;           // share of releases that go back to an older one
    bool small_disks = false;  // of nodes: with room for two versions and a bit
    NodePlant node_plant = NodePlant::none;
    SimBroker::Plant broker_plant = SimBroker::Plant::none;
    bool hidden_breaks = false;
};

// A broker, its publishers and its nodes in one thread. While there is trouble things go wrong; then everything works
// again, and all nodes must come to the newest releases by themselves.
class Simulation {
public:
    Simulation(Scenario const& scenario, std::uint64_t seed, Coverage& coverage);

    // The whole run. What was violated, if anything was.
    [[nodiscard]] std::optional<std::string> run();

    // In pieces, for tests that say themselves what happens when.
    void start();
    void publish(std::size_t software, std::size_t number);
    void pass(Duration time);
    [[nodiscard]] bool converged();
    // Passes time until all have converged; the time that it took, or nothing.
    [[nodiscard]] std::optional<Duration> converge(Duration most);

    [[nodiscard]] World& world() { return world_; }
    [[nodiscard]] Network& network() { return network_; }
    [[nodiscard]] Checker& checker() { return checker_; }
    [[nodiscard]] SimBroker& broker() { return broker_; }
    [[nodiscard]] SimNode& node(std::size_t i) { return *nodes_[i]; }
    [[nodiscard]] std::size_t nodes() const { return nodes_.size(); }
    [[nodiscard]] Library& library() { return library_; }
    [[nodiscard]] SoftwareName software(std::size_t i) const;

private:
    void plan_releases();
    void plan_trouble();
    void plan_crashes();
    void plan_disks();
    void plan_surroundings();
    void plan_removals();
    void calm();
    void publish_once_more();
    void replace_stopped();
    [[nodiscard]] SimNode& some_node() { return *nodes_[world_.random().below(nodes_.size())]; }
    [[nodiscard]] Duration sometime() { return world_.random().between(Duration::zero(), scenario_.trouble); }
    [[nodiscard]] std::string missing();
    [[nodiscard]] bool publishers_idle() const;
    // The first ones are gone for good, and some were taken out of the fleet.
    [[nodiscard]] std::vector<SimNode*> lasting();
    void remove(SimNode& node);
    void enrol_again(SimNode& node);
    void put_register_right();
    [[nodiscard]] bool went_back(SimNode& node, SoftwareName const& software, Committed const& newest,
                                 broker::NodeStatus const* row) const;
    [[nodiscard]] bool keeps_off(SimNode& node, SoftwareName const& software, Committed const& newest,
                                 broker::NodeStatus const* row);
    [[nodiscard]] bool works_on(SimNode& node, ReleaseId const& release);
    [[nodiscard]] std::optional<std::string> behind(SimNode& node, SoftwareName const& software,
                                                    Committed const& newest);
    [[nodiscard]] std::optional<std::string> unheard(SimNode& node);
    [[nodiscard]] std::optional<std::string> table_differs(SimNode& node) const;

    Scenario scenario_;
    World world_;
    Library library_;
    Checker checker_;
    Network network_;
    SimBroker broker_;
    std::vector<std::unique_ptr<SimPublisher>> publishers_;  // one a software
    std::vector<std::unique_ptr<SimNode>> nodes_;
    SimOperator operator_;
    std::set<Seq> replaced_;
    std::set<SimNode*> removed_;
    std::size_t keys_ = 0;  // that were made for nodes beside their first ones
    bool calm_ = false;
};

// A number from the environment.
[[nodiscard]] std::uint64_t environment_number(char const* name, std::uint64_t otherwise);

}  // namespace lull::sim
