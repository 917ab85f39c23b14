#pragma once

#include <string>

#include "core/units.hpp"
#include "subscriber/disk/layout.hpp"

namespace lull::subscriber {

// Whether announcements reach this node, and how its bytes come. Written by the daemon when it changes, for `lull-node
// status`; nothing depends on it, so it is not fsynced.
struct LinkState {
    bool connected = false;
    WallTime since;
    std::string detail;
    std::string
        flow{};  // while there is a session: what the broker said of its queue, or of the rate and why it is no higher
};

void save_link_state(Layout const& layout, LinkState const& state);
// Nothing if the daemon never wrote one.
[[nodiscard]] std::optional<LinkState> load_link_state(Layout const& layout);

}  // namespace lull::subscriber
