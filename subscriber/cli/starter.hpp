#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/log.hpp"
#include "subscriber/disk/layout.hpp"

namespace lull::subscriber {

// The software whose releases take the place of the lull-node that a package has installed, and its program.
inline constexpr char const* starter_software = "lull-node";
inline constexpr char const* starter_program = "bin/lull-node";
// How often in a row one release is started without a connection to the broker.
inline constexpr unsigned most_starts = 3;

// The release in ROOT/lull-node/current, if its version is newer than `version` and its program can be executed.
[[nodiscard]] std::optional<ReleaseId> newer_release(Layout const& layout, std::string_view version);

// Becomes the lull-node of newer_release(), with this process's arguments; for a lull-node that lies outside of ROOT.
// Returns if there is none, or if it was started too often without a connection: then this program serves itself.
void start_newer(Layout const& layout, Log& log);

// Becomes this program, with the arguments and the environment of this process. Returns only if that failed.
[[nodiscard]] Error become(fs::path const& program);

}  // namespace lull::subscriber
