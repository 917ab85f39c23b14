#pragma once

#include <string>
#include <string_view>

#include "core/json.hpp"
#include "schema/messages.hpp"

namespace lull::publisher {

// How much of the fleet has to have a release: "active:95%".
struct Goal {
    std::uint64_t share = all_nodes;  // of the enrolled nodes, in hundredths of a percent
    bool operator==(Goal const&) const = default;
};

// Fault::usage.
[[nodiscard]] Result<Goal> parse_goal(std::string_view text);

// Nothing: the goal may still be reached. Fault::failed if the release is paused or withdrawn, however many nodes have
// it; or if the goal is out of reach, because a newer release superseded this one or too many nodes rolled it back.
[[nodiscard]] std::optional<Status> outcome(Goal const& goal, ReleaseProgress const& progress);

// "kiosk 1.4.3: 97 of 100 nodes active, 3 rolled-back; stage 3 of 3 of its rollout, 100 % of the nodes".
[[nodiscard]] std::string release_progress_text(ReleaseProgress const& progress);
[[nodiscard]] Json progress_json(ReleaseProgress const& progress);

}  // namespace lull::publisher
