#pragma once

#include <string>

#include "core/files.hpp"

namespace lull::subscriber {

// The id of the present start of this machine (random(4)); "unknown" where the kernel does not tell.
[[nodiscard]] std::string boot_id();

// Which machine this is, and which directory on it, as 32 hexadecimal digits. A digest: it does not disclose
// /etc/machine-id, which is confidential (machine-id(5)). A machine without that file has an id of its directory only.
[[nodiscard]] std::string machine_of(fs::path const& root);

}  // namespace lull::subscriber
