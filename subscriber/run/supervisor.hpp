#pragma once

#include "subscriber/run/launcher.hpp"

namespace lull::subscriber {

// How long `lull-node run --supervise` waits at most, after its program was ended for an update, until the mark of that
// is gone. Then it starts what is current, whatever the daemon does.
inline constexpr Duration usual_mark_wait = std::chrono::minutes(2);

// Starts the program as launch() does, but in a child: which has the lock, and which SIGTERM reaches when we are
// killed. Passes on the signals that we get, stops when it stops, and ends as it ends (status or signal). Only a
// program that was ended for an update (RestartMarks) is started again, in the version that is current then. Returns
// only if no process could be made.
[[nodiscard]] Error supervise(Layout const& layout, LaunchRequest const& request, Duration mark_wait = usual_mark_wait);

}  // namespace lull::subscriber
