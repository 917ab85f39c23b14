#pragma once

#include <optional>
#include <vector>

#include "core/command_line.hpp"
#include "publisher/client.hpp"
#include "publisher/goal.hpp"
#include "publisher/progress.hpp"

namespace lull::publisher {

// What the options of waiting say.
struct Waiting {
    std::optional<Goal> goal;
    std::optional<Duration> within;
};

// --wait and --within.
[[nodiscard]] std::vector<Option> wait_options();
[[nodiscard]] Result<Waiting> waiting_of(Arguments const& arguments);

// Waits until the goal is reached, telling now and then how far it is. The last that the broker said is in `last`, also after a failure.
[[nodiscard]] Status wait_for(ClientOptions const& options, Follow const& what, Waiting const& waiting, Progress& progress,
                              std::optional<ReleaseProgress>& last);

}  // namespace lull::publisher
