#include "tests/sim/scenarios.hpp"

namespace lull::sim {

using namespace std::chrono_literals;

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
    scenario.node = {.crash_at_action = 0.0005,
                     .damage = 0.001,
                     .use_unknown = 0.02,
                     .journal_fails = 0.0005,
                     .sync_fails = 0.0005,
                     .write_fails = 0.001,
                     .work_fails = 0.01};
    scenario.node_crashes = 20;
    scenario.node_holidays = 4;
    scenario.broker_crashes = 4;
    scenario.full_disks = 5;
    scenario.broker_disk_full = true;
    scenario.users = true;
    scenario.partitions = 8;
    scenario.clock_jumps = 8;
    scenario.meddling = 8;
    scenario.patch_lies = 0.05;
    scenario.broken = 0.2;
    scenario.holds = 6;
    scenario.put_back = 3;
    scenario.removed = 3;
    return scenario;
}

Scenario small_disks() {
    auto scenario = everything();
    scenario.full_disks = 0;
    scenario.releases = 8;
    scenario.small_disks = true;
    return scenario;
}

Scenario ordered() {
    auto scenario = everything();
    scenario.orders = 15;
    scenario.staged = true;
    scenario.back = 0.2;
    scenario.node.hook_kills = 0.05;
    return scenario;
}

Scenario some_of_it(std::uint64_t seed) {
    Random random(seed ^ 0x9e3779b97f4a7c15);
    auto scenario = ordered();
    bool const large = random.chance(0.02);
    scenario.nodes = large ? 100 : 3 + random.below(22);
    scenario.software = 1 + random.below(4);
    scenario.releases = 1 + random.below(8);
    scenario.trouble = random.between(3min, 20min);
    auto const some = [&](auto& what) {
        if (random.chance(0.4)) what = {};
    };
    auto const share = [&](std::size_t& what) {
        what = random.chance(0.4) ? 0 : 1 + random.below(what * scenario.nodes / 8 + 1);
    };
    some(scenario.network);
    for (auto* fault : {&scenario.node.crash_at_action, &scenario.node.damage, &scenario.node.use_unknown,
                        &scenario.node.journal_fails, &scenario.node.sync_fails, &scenario.node.write_fails,
                        &scenario.node.work_fails}) {
        some(*fault);
        if (random.chance(0.2)) *fault *= 10;
    }
    for (auto* count : {&scenario.node_crashes, &scenario.node_holidays, &scenario.full_disks, &scenario.partitions,
                        &scenario.clock_jumps, &scenario.meddling, &scenario.put_back, &scenario.removed}) {
        share(*count);
    }
    some(scenario.broker_crashes);
    some(scenario.broker_disk_full);
    some(scenario.users);
    some(scenario.patch_lies);
    some(scenario.broken);
    some(scenario.holds);
    if (random.chance(0.3))
        scenario.restored = random.chance(0.5) ? SimBroker::Copy::marked : SimBroker::Copy::unmarked;
    // Of what is published with a clock that is years ahead nobody can tell that it came later.
    if (scenario.restored) scenario.clock_jumps = 0;
    if (scenario.restored == SimBroker::Copy::unmarked) scenario.releases = std::min<std::size_t>(scenario.releases, 3);
    some(scenario.orders);
    some(scenario.staged);
    some(scenario.back);
    some(scenario.node.hook_kills);
    if (random.chance(0.2)) scenario.gone = 1 + random.below(2);
    scenario.small_disks = random.chance(0.3);
    return scenario;
}

}  // namespace lull::sim
