#pragma once

#include "core/event_loop.hpp"
#include "core/log.hpp"
#include "schema/identity.hpp"
#include "subscriber/disk/layout.hpp"

namespace lull::subscriber {

// Whether the node's directory can be written, down to the device. The error says what is wrong and what to do.
[[nodiscard]] Status probe_disk(Layout const& layout);

// From now on a write that is lost because the file system has become read-only does not end this process: it starts
// the same program anew, which finds that out and says so.
void start_anew_when_read_only(Layout const& layout);

// What a node does while its disk is read-only, full or failing: it can record nothing, so it installs nothing, and
// keeps a session with the broker only to say why. Belongs to the loop's thread.
struct TroubledNode {
    Layout layout;
    JoinBundle bundle;
    ArchitectureName architecture;
};
enum class TroubleEnd { stopped, writable };
// Runs the loop until the disk can be written again, or until the loop is stopped from outside. `why` is what
// probe_disk() found.
[[nodiscard]] TroubleEnd wait_for_disk(TroubledNode const& node, std::string why, EventLoop& loop, Log& log);

}  // namespace lull::subscriber
