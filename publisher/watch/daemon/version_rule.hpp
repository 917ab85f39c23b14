#pragma once

#include <stop_token>

#include "core/files.hpp"
#include "core/units.hpp"
#include "schema/ids.hpp"

namespace lull::publisher::watch {

// The version of a tree, and where it comes from.
struct ChosenVersion {
    enum class Kind { named, time_stamp };
    VersionName version;
    Kind kind = Kind::named;
    std::string source;  // ".lull-version", "VERSION", "package.json", "git describe", "time stamp"
    bool operator==(ChosenVersion const&) const = default;
};

// The first of: the files .lull-version, VERSION and package.json (`version`), `git describe --tags --dirty` if the
// tree has a `.git` of its own, else the time in UTC, like 2026.12.01-023005. A file that is there but names no valid
// version is an error (Fault::usage); a package.json without `version` counts as absent.
[[nodiscard]] Result<ChosenVersion> choose_version(fs::path const& tree, WallTime now, std::stop_token const& stop);

// "2026.12.01-023005".
[[nodiscard]] VersionName time_stamp(WallTime now);

}  // namespace lull::publisher::watch
