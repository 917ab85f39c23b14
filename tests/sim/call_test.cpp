#include <catch2/catch.hpp>

#include "tests/sim/scenarios.hpp"
#include "tests/sim/sim_caller.hpp"
#include "tests/sim/sim_executor.hpp"

using namespace lull;
using namespace lull::sim;
using namespace std::chrono_literals;

namespace {

struct CallScenario {
    std::size_t executors = 3;
    std::size_t callers = 6;
    std::size_t calls = 300;
    Duration trouble = 15min;
    NetworkFaults network{};
    std::size_t broker_crashes = 0;
    std::size_t executor_kills = 0;
    std::size_t caller_kills = 0;
    SimBroker::Plant broker_plant = SimBroker::Plant::none;
    SimExecutor::Plant executor_plant = SimExecutor::Plant::none;
};

PeerKey key_of(unsigned kind, std::size_t number) {
    std::array<std::byte, 32> bytes{};
    bytes[0] = static_cast<std::byte>(kind);
    bytes[31] = static_cast<std::byte>(number);
    return PeerKey(bytes);
}

// A broker with a publisher, executors and callers. While there is trouble things go wrong; then everything works
// again, and all calls must come to an end.
class CallSimulation {
public:
    CallSimulation(CallScenario const& scenario, std::uint64_t seed, Coverage& coverage)
        : scenario_(scenario),
          world_(seed, environment_number("LULL_SIM_TRACE", 0) != 0),
          library_(world_.random()),
          checker_(world_, library_),
          calls_(checker_),
          network_(world_),
          broker_(world_, network_, library_, checker_, coverage),
          publisher_(world_, network_, broker_, library_, checker_, key_of(2, 0)) {
        library_.set_callable("file-0");
        broker_.enrol(publisher_.key(), {"publisher", Role::publisher, library_.public_key(), {}});
        CallPeer::Surroundings const around{world_, network_, calls_};
        for (std::size_t i = 0; i < scenario.executors; ++i) {
            executors_.push_back(
                std::make_unique<SimExecutor>(around, fmt::format("executor-{}", i), key_of(4, i), software_));
            executors_.back()->plant(scenario.executor_plant);
            enrol(*executors_.back());
        }
        for (std::size_t i = 0; i < scenario.callers; ++i) {
            callers_.push_back(std::make_unique<SimCaller>(around, fmt::format("caller-{}", i), key_of(5, i), software_,
                                                           [this] { return some_release(); }));
            enrol(*callers_.back());
        }
        broker_.plant(scenario.broker_plant);
    }

    [[nodiscard]] std::optional<std::string> run() {
        broker_.start();
        publisher_.publish(software_, 1);
        pass(10s);
        network_.set(scenario_.network);
        for (auto& one : executors_) one->start();
        for (auto& one : callers_) one->start();
        plan();
        pass(scenario_.trouble);
        calm();
        if (!checker_.violation()) calls_.calm();
        return checker_.violation();
    }
    [[nodiscard]] CallChecker const& calls() const { return calls_; }

private:
    void enrol(CallPeer const& peer) { broker_.enrol(peer.key(), {peer.name(), Role::node, std::nullopt, {}}); }
    void pass(Duration time) { world_.run_until(world_.now() + time); }
    [[nodiscard]] Duration sometime() { return world_.random().between(Duration::zero(), scenario_.trouble); }

    [[nodiscard]] std::optional<Seq> some_release() {
        if (!broker_.up()) return std::nullopt;
        auto const& log = broker_.state().release_log.log();
        if (log.empty()) return std::nullopt;
        return log[world_.random().below(log.size())].entry.seq;
    }

    template <class Peers>
    void plan_kills(Peers& peers, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            auto const when = sometime();
            auto& peer = *peers[world_.random().below(peers.size())];
            world_.after(when, [&peer] { peer.kill(); });
            world_.after(when + world_.random().between(10ms, 40s), [&peer] { peer.start(); });
        }
    }

    void plan() {
        for (std::size_t i = 0; i < scenario_.calls; ++i) {
            auto& caller = *callers_[world_.random().below(callers_.size())];
            world_.after(sometime(), [&caller] { caller.act(); });
        }
        for (std::size_t i = 2; i < 5; ++i) world_.after(sometime(), [this, i] { publisher_.publish(software_, i); });
        plan_kills(executors_, scenario_.executor_kills);
        plan_kills(callers_, scenario_.caller_kills);
        for (std::size_t i = 0; i < scenario_.broker_crashes; ++i) {
            auto const when = sometime();
            world_.after(when, [this] { broker_.crash(); });
            world_.after(when + world_.random().between(10ms, 40s), [this] {
                if (!broker_.up()) broker_.start();
            });
        }
    }

    void calm() {
        world_.trace("---- calm ----");
        network_.set({});
        pass(1min);
        if (!broker_.up()) broker_.start();
        for (auto& one : executors_) one->start();
        for (auto& one : callers_) one->start();
        pass(20min);  // longer than all limits together
    }

    CallScenario scenario_;
    SoftwareName software_ = *SoftwareName::parse("solver");
    World world_;
    Library library_;
    Checker checker_;
    CallChecker calls_;
    Network network_;
    SimBroker broker_;
    SimPublisher publisher_;
    std::vector<std::unique_ptr<SimExecutor>> executors_;
    std::vector<std::unique_ptr<SimCaller>> callers_;
};

CallScenario all_troubles() {
    CallScenario scenario;
    scenario.network = {.message_lost = 0.002, .message_twice = 0.002, .session_breaks = 0.002, .break_untold = 0.3};
    scenario.broker_crashes = 4;
    scenario.executor_kills = 12;
    scenario.caller_kills = 12;
    return scenario;
}

// The same with fewer faults, each of which reaches further.
CallScenario some_troubles(std::uint64_t seed) {
    Random random(seed ^ 0x9e3779b97f4a7c15);
    auto scenario = all_troubles();
    auto const some = [&](auto& what) {
        if (random.chance(0.5)) what = {};
    };
    some(scenario.network.message_lost);
    some(scenario.network.message_twice);
    some(scenario.network.session_breaks);
    some(scenario.broker_crashes);
    some(scenario.executor_kills);
    some(scenario.caller_kills);
    scenario.executors = 1 + random.below(5);
    scenario.callers = 1 + random.below(12);
    scenario.calls = 50 + random.below(500);
    return scenario;
}

struct Tally {
    std::size_t begun = 0;
    std::size_t ended = 0;
    std::size_t refused = 0;
    std::size_t unknown = 0;
};

void run_calls(std::function<CallScenario(std::uint64_t)> const& scenario, std::uint64_t usual) {
    auto const first = environment_number("LULL_SIM_SEED", environment_number("LULL_SIM_FIRST", 1));
    auto const count = std::getenv("LULL_SIM_SEED") != nullptr ? 1 : environment_number("LULL_SIM_SEEDS", usual);
    Coverage coverage;
    Tally tally;
    for (auto seed = first; seed < first + count; ++seed) {
        CallSimulation simulation(scenario(seed), seed, coverage);
        INFO("seed " << seed);
        CHECK(simulation.run().value_or("") == "");
        tally.begun += simulation.calls().begun();
        tally.ended += simulation.calls().count(CallPhase::ended);
        tally.refused += simulation.calls().count(CallPhase::refused);
        tally.unknown += simulation.calls().count(CallPhase::unknown);
    }
    fmt::print("{} calls ran; {} ended, {} were refused, {} are unknown\n", tally.begun, tally.ended, tally.refused,
               tally.unknown);
    // A run in which nothing runs would promise nothing.
    CHECK(tally.begun > 20 * count);
    CHECK(tally.ended > 10 * count);
}

bool is_caught(CallScenario const& scenario, std::string const& what) {
    Coverage coverage;
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        auto const violation = CallSimulation(scenario, seed, coverage).run();
        if (!violation) continue;
        fmt::print("caught with seed {}: {}\n", seed, *violation);
        return violation->find(what) != std::string::npos;
    }
    return false;
}

}  // namespace

TEST_CASE("calls on a network without faults end with a result") {
    run_calls([](auto) { return CallScenario(); }, 3);
}

TEST_CASE("whatever gets lost, comes twice or crashes, no call runs twice, and each ends for its caller") {
    run_calls([](auto) { return all_troubles(); }, 20);
}

TEST_CASE("any mixture of troubles with calls ends well") { run_calls(some_troubles, 60); }

TEST_CASE("control: a broker that takes calls of an earlier life for its own is caught") {
    auto scenario = all_troubles();
    scenario.broker_crashes = 20;
    scenario.broker_plant = SimBroker::Plant::takes_old_calls;
    CHECK(is_caught(scenario, "ran a second time"));
}

TEST_CASE("control: a broker that lets two executors begin is caught") {
    auto scenario = all_troubles();
    scenario.broker_plant = SimBroker::Plant::goes_twice;
    CHECK(is_caught(scenario, "ran a second time"));
}

TEST_CASE("control: an executor that begins with the offer is caught") {
    auto scenario = all_troubles();
    scenario.executor_plant = SimExecutor::Plant::begins_early;
    CHECK(is_caught(scenario, "had begun"));
}

TEST_CASE("control: an executor whose programs outlive its session is caught") {
    auto scenario = all_troubles();
    scenario.executor_plant = SimExecutor::Plant::outlives;
    CHECK(is_caught(scenario, "still runs"));
}
