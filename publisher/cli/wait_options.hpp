#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "publisher/cli/progress_bar.hpp"
#include "publisher/cli/settings.hpp"
#include "publisher/client/goal.hpp"

namespace lull::publisher {

// The goal of --wait, and the time limit of --within.
struct Waiting {
    std::optional<Goal> goal;
    std::optional<Duration> within;
    bool operator==(Waiting const&) const = default;
};

// --wait and --within.
[[nodiscard]] std::vector<Option> wait_options();
[[nodiscard]] Result<Waiting> waiting_of(Arguments const& arguments);

// Waits for the goal; leaves the last progress in `last`, also after a failure.
using Wait = std::function<Status(std::optional<ReleaseProgress>& last)>;

// Prints that a release is published, then waits. JSON is one object, printed after the wait.
[[nodiscard]] Status tell_and_wait(std::string const& text, Json json, Output output, Wait const& wait);

// Waits until the goal is reached, if there is one, and shows the progress meanwhile. Leaves the last progress in
// `last`, also after a failure.
[[nodiscard]] Status wait_for(ClientOptions const& options, Follow const& what, Waiting const& waiting,
                              Progress& progress, std::optional<ReleaseProgress>& last);

}  // namespace lull::publisher
