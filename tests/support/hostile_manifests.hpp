#pragma once

#include <optional>
#include <string>
#include <vector>

#include "schema/manifest.hpp"

namespace lull::test {

// A manifest that nobody may accept, though it was signed.
struct HostileManifest {
    std::string group;                 // the kind of attack
    std::string what;                  // within its group
    Buffer payload;                    // encoded
    std::optional<Manifest> manifest;  // the same as a value; nothing if no value can hold it
    std::string path;                  // what the refusal names; nothing where it is not about a path
    std::string reason;                // a part of the refusal
};

// The paths that the good manifest has to hold, in the order of a manifest, to be made hostile. Three files have
// contents.
//
//   bin/  bin/app (executable)  bin/run -> app  data  lib/  lib/deep/  lib/deep/data  lib/deep/up -> ../../bin/app
//   lib/empty  lib/root -> ..
//
// It starts bin/app, and has at least two segments.

// More than 300 ways to make a good manifest hostile, no two of them alike.
[[nodiscard]] std::vector<HostileManifest> hostile_manifests(Manifest const& good);

// Link targets that lead out of a release, or round in it, as they are used above: where the link lies, and its target.
struct HostileLink {
    std::string path;
    std::string target;
    std::string reason;
};
[[nodiscard]] std::vector<HostileLink> hostile_links();

// Paths that no release may hold, with the reason.
struct HostilePath {
    std::string path;
    std::string reason;
};
[[nodiscard]] std::vector<HostilePath> hostile_paths();

}  // namespace lull::test
