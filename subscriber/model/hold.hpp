#pragma once

#include <map>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "schema/ids.hpp"

namespace lull::subscriber {

// A user of this node does not want a piece of software to change here for now.
struct Hold {
    WallTime since;
    std::optional<WallTime> until{};  // none: until it is taken back
    std::string by;                   // user name
    std::string why;                  // their words; may be empty
    bool operator==(Hold const&) const = default;
};

// All holds of a node.
struct Holds {
    std::map<SoftwareName, Hold> by_software;
    std::optional<Hold> all{};  // of every software

    // The one that counts at this time: that of the software before that of all. Those that have expired do not count.
    [[nodiscard]] Hold const* find(SoftwareName const& software, WallTime now) const;
    bool operator==(Holds const&) const = default;
};

}  // namespace lull::subscriber
