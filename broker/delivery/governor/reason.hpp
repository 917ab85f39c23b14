#pragma once

#include <cstdint>
#include <string_view>

namespace lull::broker {

// Why bytes do not flow, or not faster; what QUEUED and GRANT say to a node and `lull status` shows.
enum class Reason : std::uint8_t {
    none,            // they flow as fast as the line allows
    measuring,       // the path has just begun: its delay is being learned
    path_busy,       // frames met a queue on the way when none of ours were left in it: somebody else uses the path
    path_shared,     // a router shares the path fairly and others want their part
    line_busy,       // other programs use the broker's own line
    window,          // the current time window allows this much only
    cap,             // the cap of the group or site is reached
    place_in_queue,  // as many transfers as are allowed run already
    only_quiet,      // not quiet, and the operator wants no progress until it is
    path_queued,     // frames wait in a queue on the way, which may be of our own making
};

// For people, to follow "waiting: ".
[[nodiscard]] std::string_view to_text(Reason reason);

}  // namespace lull::broker
