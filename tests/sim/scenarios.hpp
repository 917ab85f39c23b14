#pragma once

#include "tests/sim/simulation.hpp"

namespace lull::sim {

// Announcements and messages get lost, doubled and late, and sessions break.
[[nodiscard]] Scenario unreliable_network();

// That, and whatever else can go wrong, but for what a restored log brings.
[[nodiscard]] Scenario everything();

// That, on nodes whose disks have room for two versions and a bit.
[[nodiscard]] Scenario small_disks();

// Whatever else can go wrong, and an operator who orders this and that, rollouts, hooks, and releases that go back.
[[nodiscard]] Scenario ordered();

// Some of it: what, how often, and on how many nodes (up to a hundred) depends on the seed. A few kinds of trouble at a
// time reach what all of them together hide.
[[nodiscard]] Scenario some_of_it(std::uint64_t seed);

}  // namespace lull::sim
