#pragma once

#include <optional>

#include "subscriber/layout.hpp"

namespace lull::subscriber {

// A file of the version that any process has open, maps or executes, whoever it belongs to; nothing if there is none.
// Asks the kernel for a write lease on each file (fcntl(2), F_SETLEASE), so it also answers for processes that we may
// not look into. Does not see working directories. Takes files that are ours (or CAP_LEASE); an error where the file
// system knows no leases: that is not "nobody".
[[nodiscard]] Result<std::optional<fs::path>> find_open_file(Layout const& layout, ReleaseId const& release);

}  // namespace lull::subscriber
