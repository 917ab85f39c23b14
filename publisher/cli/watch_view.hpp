#pragma once

#include "core/json.hpp"
#include "core/table.hpp"
#include "publisher/watch/daemon/dry_run.hpp"
#include "publisher/watch/daemon/watch_state.hpp"

namespace lull::publisher {

// Whether the watcher that wrote a state still runs.
enum class WatcherRuns { yes, no };

// Text for people has local time; JSON for programs has UTC.
[[nodiscard]] std::string watch_status_text(watch::WatchState const& state, WatcherRuns runs, WallTime now,
                                            Painting painting);
[[nodiscard]] Json watch_status_json(watch::WatchState const& state, WatcherRuns runs);

// `invalid`: names that no software can have, with the reason.
[[nodiscard]] std::string dry_run_text(std::vector<watch::DryRun> const& runs, std::vector<std::string> const& invalid);
[[nodiscard]] Json dry_run_json(std::vector<watch::DryRun> const& runs, std::vector<std::string> const& invalid);

}  // namespace lull::publisher
