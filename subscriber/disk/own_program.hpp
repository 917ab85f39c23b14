#pragma once

#include <optional>

#include "subscriber/disk/layout.hpp"
#include "subscriber/model/own_program.hpp"

namespace lull::subscriber {

// The release below the root that a program belongs to, by its path, and its path in that release's tree. The check is
// left empty. Nothing: the program lies elsewhere.
[[nodiscard]] std::optional<OwnProgram> program_of_release(Layout const& layout, fs::path const& program);

// The release that this process runs from (/proc/self/exe); the check has the arguments of this process and --check.
// Nothing: it runs from elsewhere.
[[nodiscard]] std::optional<OwnProgram> own_program(Layout const& layout);

// The arguments of this process, without the program's name.
[[nodiscard]] std::vector<std::string> own_arguments();

// Closes the descriptors of this process that are on the lock file of this release. `lull-node run` passes one on:
// without this the daemon would wait for its own end.
void close_inherited_lock(Layout const& layout, ReleaseId const& release);

}  // namespace lull::subscriber
