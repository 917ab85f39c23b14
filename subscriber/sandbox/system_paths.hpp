#pragma once

#include <string>
#include <vector>

#include "core/files.hpp"

namespace lull::subscriber {

// What of this machine's file system a program in the sandbox sees, read-only.
struct SystemPaths {
    struct Link {
        std::string name;  // "/lib"
        std::string target;
    };
    std::vector<std::string> directories;  // bound where they are
    std::vector<std::string> files;        // the same
    std::vector<Link> links;
};

// /usr, the links or directories that lead there, and the few files of /etc that programs cannot do without: no
// password, no host name, no key. `names`: also what a program needs to reach the network by names.
enum class NameLookup { none, wanted };
[[nodiscard]] SystemPaths find_system_paths(NameLookup names);

}  // namespace lull::subscriber
