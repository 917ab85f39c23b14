#pragma once

#include "subscriber/proc/file_identity.hpp"

namespace lull::subscriber {

// Whether this process executes the file or maps it, by the names in /proc/self/maps: the device numbers there differ
// from those of statx(2) on some file systems (btrfs, overlayfs).
[[nodiscard]] bool executes_or_maps(FileIdentity const& file);

// Whether a process runs the same program as this one, by its open directory in /proc.
[[nodiscard]] bool runs_own_program(int process);

}  // namespace lull::subscriber
