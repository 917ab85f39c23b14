#pragma once

#include "core/files.hpp"

namespace lull::publisher {

// Opens an absolute path in which no component may be a symbolic link (openat2(2)). Whoever may write into a tree could
// put a link in the place of one of its directories while it is read, and so have files published that only the
// publisher may read; O_NOFOLLOW is about the last component alone. Fault::failed if there is a link.
[[nodiscard]] Result<FileDescriptor> open_without_links(fs::path const& path, int flags);

}  // namespace lull::publisher
