#pragma once

#include <optional>

#include "subscriber/disk/layout.hpp"

namespace lull::subscriber {

// A file of the version that anybody else has open, maps or executes, whoever it belongs to; nothing if there is none.
// Asks the kernel for a write lease on each file (fcntl(2), F_SETLEASE), so it also answers for processes that we may
// not look into, and for what no process shows: descriptors on their way through a socket, loop devices, programs
// below an overlay. Does not see working directories. What this process itself has open, executes or
// maps does not count. Takes files
// that are ours (or CAP_LEASE); an error where the file system knows no leases: that is not "nobody".
[[nodiscard]] Result<std::optional<fs::path>> find_open_file(Layout const& layout, ReleaseId const& release);

// The same for one path, a file or a directory with all that is in there.
[[nodiscard]] Result<std::optional<fs::path>> find_open_file(fs::path const& path);

// Whether others have the file open that we have opened once, for reading.
[[nodiscard]] Result<bool> is_open_elsewhere(int file, fs::path const& path);

}  // namespace lull::subscriber
