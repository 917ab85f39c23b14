#pragma once

#include <functional>
#include <optional>
#include <string>
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

// Says that a release is published, as text or, at the end and with how far it has come, as JSON; in between it waits. `wait` is that.
using Wait = std::function<Status(std::optional<ReleaseProgress>& last)>;
[[nodiscard]] Status tell_and_wait(std::string const& text, Json json, Arguments const& arguments, Wait const& wait);

// Waits until the goal is reached, if there is one, telling now and then how far it is. The last that the broker said is in `last`, also
// after a failure.
[[nodiscard]] Status wait_for(ClientOptions const& options, Follow const& what, Waiting const& waiting, Progress& progress,
                              std::optional<ReleaseProgress>& last);

}  // namespace lull::publisher
