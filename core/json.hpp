#pragma once

#include <nlohmann/json.hpp>

namespace lull {

// JSON for `--json` output and small caches; keys keep the order in which they were written. The home of nlohmann-json.
using Json = nlohmann::ordered_json;

}  // namespace lull
