#pragma once

#include "core/result.hpp"
#include "tests/sim/line/experiment.hpp"

namespace lull::sim {

// The laboratory's scenarios, as far as they make sense without a kernel, and further lines.
[[nodiscard]] std::vector<Setting> settings();
[[nodiscard]] Result<Setting> find_setting(std::string_view name);

// Sets a constant of PathTuning by its name: durations in ms, all else as it is.
[[nodiscard]] Status set_constant(broker::PathTuning& tuning, std::string_view name, double value);

}  // namespace lull::sim
