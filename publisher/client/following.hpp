#pragma once

#include <functional>
#include <optional>
#include <string>

#include "publisher/client/broker_call.hpp"

namespace lull::publisher {

// When following a release ends, and what the caller hears until then.
struct FollowUntil {
    std::function<std::optional<Status>(ReleaseProgress const&)> seen;  // each PROGRESS; a status ends the following
    std::function<std::string(ReleaseProgress const&)> text;            // for the error after `within`
    std::optional<Duration> within;                                     // time limit
    std::function<void(std::string const&)> lost;  // the connection ended, for this reason; it is made again
};

// Follows a release by FOLLOW and PROGRESS. Fault::unreachable if the broker does not answer in the beginning.
[[nodiscard]] Result<ReleaseProgress> follow(ClientOptions const& options, Follow const& what, FollowUntil until);

}  // namespace lull::publisher
