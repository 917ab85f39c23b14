#pragma once

#include <string>
#include <vector>

#include "subscriber/model/release_id.hpp"

namespace lull::subscriber {

// The release of lull-node that this daemon runs from, where lull-node is itself a software of the node.
struct OwnProgram {
    ReleaseId release;
    std::string program;             // path in its tree
    std::vector<std::string> check;  // arguments with which a program of another release looks whether it works here
};

}  // namespace lull::subscriber
