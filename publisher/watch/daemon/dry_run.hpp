#pragma once

#include "publisher/watch/daemon/release_job.hpp"

namespace lull::publisher::watch {

// What the watcher would do with a tree as it is now.
struct DryRun {
    std::string software;
    std::string version;
    std::string source;                                       // of the version
    std::map<std::string, std::vector<std::string>> options;  // of lull.conf
    std::string action;                                       // what it would do; empty after an error
    std::string error;
};

// Builds the release and asks the broker, if its address is set, but sends nothing.
[[nodiscard]] DryRun dry_run(SoftwareName const& software, fs::path const& directory, Publisher const& publisher);

}  // namespace lull::publisher::watch
