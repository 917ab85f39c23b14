#pragma once

#include <set>
#include <vector>

#include "core/command_line.hpp"
#include "publisher/release/builder.hpp"

namespace lull::publisher {

// The options for a release's nodes, urgency, activation and rollout.
[[nodiscard]] std::vector<Option> distribution_options();

// The values of these options. Fault::usage names the option, also one that has no effect beside the others.
[[nodiscard]] Result<Distribution> distribution_of(Arguments const& arguments);

// The options of these that a command line gives, to be put in the place of those of an earlier release.
struct DistributionChanges {
    Distribution asked;             // all options, with their usual values
    std::set<std::string> given;    // the names of those that were given
    std::uint64_t health_time = 0;  // seconds; these also where `asked` has no health check and no hook
    std::uint64_t health_tries = 0;
    std::uint64_t hook_time = 0;  // seconds
    bool operator==(DistributionChanges const&) const = default;
};
[[nodiscard]] Result<DistributionChanges> distribution_changes(Arguments const& arguments);
// What is given counts, the rest is as before; a rollout is taken as a whole. Fault::usage names an option that has no
// effect.
[[nodiscard]] Result<Distribution> changed(Distribution before, DistributionChanges const& changes);

// In what two distributions differ, by the names of the options: {"policy", "health"}.
[[nodiscard]] std::vector<std::string> differences(Distribution const& one, Distribution const& other);

}  // namespace lull::publisher
