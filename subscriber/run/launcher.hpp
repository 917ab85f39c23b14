#pragma once

#include <optional>
#include <string>
#include <vector>

#include "subscriber/disk/layout.hpp"
#include "subscriber/usage/use_lock.hpp"

namespace lull::subscriber {

// What `lull-node run NAME [--program PATH] [-- ARGUMENTS]` asks for.
struct LaunchRequest {
    SoftwareName software;
    std::optional<std::string> program;  // path in the tree; else what the manifest starts, else bin/NAME, else NAME
    std::vector<std::string> arguments;
};

// A version held by its shared lock, and what to run of it.
struct Launch {
    ReleaseId release;
    UseLock lock;
    fs::path tree;
    fs::path data;                       // the software's data directory
    fs::path program;                    // through the version's directory, not through `current`
    std::vector<std::string> arguments;  // without the program's name
};

// Takes the shared lock of the version that is current; while it is being switched, waits and takes the new one.
// Fault::not_found lists what could be started. Needs no more than reading permission.
[[nodiscard]] Result<Launch> prepare_launch(Layout const& layout, LaunchRequest const& request);

// Becomes the program (execve), with LULL_SOFTWARE, LULL_VERSION, LULL_ROOT_DIR (the version's tree) and LULL_DATA in
// the environment and the lock inherited. Returns only if that failed.
[[nodiscard]] Error launch(Layout const& layout, LaunchRequest const& request);

}  // namespace lull::subscriber
