#pragma once

#include "core/files.hpp"

namespace lull::store {

// Locks the database in `directory` for the only process that may write it, and notes there who that is. Fault::refused
// with the process that has it already.
[[nodiscard]] Result<FileDescriptor> own_database(fs::path const& directory);

// Whether a process has the database now.
[[nodiscard]] bool has_owner(fs::path const& directory);

}  // namespace lull::store
