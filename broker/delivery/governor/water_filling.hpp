#pragma once

#include <span>
#include <vector>

#include "core/byte_rate.hpp"

namespace lull::broker {

// What one path may claim of a line.
struct Claim {
    double weight = 1;      // above zero
    ByteRate most;          // that it can use
    std::size_t group = 0;  // index into the caps of groups
};

// Divides a budget: nobody gets more than it can use, no group more than its cap, and among those who could use more,
// rates are as their weights (weighted max-min fairness: Bertsekas and Gallager, Data Networks, 6.5.2). Nothing is left
// over while anybody could use it. One rate for each claim, in their order.
[[nodiscard]] std::vector<ByteRate> fill(ByteRate budget, std::span<Claim const> claims,
                                         std::span<ByteRate const> caps);

}  // namespace lull::broker
