#pragma once

#include <string>

#include "core/units.hpp"
#include "subscriber/layout.hpp"

namespace lull::subscriber {

// Whether announcements reach this node. Written by the daemon when it changes, for `lull-node status`; nothing depends on it, so it
// is not fsynced.
struct LinkState {
    bool connected = false;
    WallTime since;
    std::string detail;
};

void save_link_state(Layout const& layout, LinkState const& state);
// Nothing if the daemon never wrote one.
[[nodiscard]] std::optional<LinkState> load_link_state(Layout const& layout);

}  // namespace lull::subscriber
