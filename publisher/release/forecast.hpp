#pragma once

#include "publisher/release/builder.hpp"

namespace lull::publisher {

// What nodes have to fetch of a new release, with the smallest patch.
struct Forecast {
    Bytes update{};  // with the old release, patch included
    Bytes whole{};   // without any release
};

// Makes the same patch as the broker would, and discards it: about 40 s of one core for each 100 MB that differ, and
// up to 500 MB of memory. The files of both releases are read again. Fault::failed if they have changed.
[[nodiscard]] Result<Forecast> forecast(Release const& from, Release const& to, ReadingProgress const& progress);

}  // namespace lull::publisher
