#pragma once

#include <string>

#include "bench/quiet/traffic.hpp"
#include "core/files.hpp"

namespace lull::quiet {

// A line for each second, then a line for each kind of traffic; for people.
[[nodiscard]] std::string report(Plan const& plan, Observations const& seen);

// Every record: "kind,at_ns,took_ns,bytes,outcome", behind a line "# start NS" with the monotonic clock's reading at
// the start.
[[nodiscard]] Status write_csv(fs::path const& path, Observations const& seen);

}  // namespace lull::quiet
