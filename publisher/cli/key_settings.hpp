#pragma once

#include <optional>
#include <string>
#include <vector>

#include "publisher/cli/settings.hpp"

namespace lull::publisher {

// Which keys `lull keygen` makes.
struct KeygenSettings {
    Connection connection;
    std::string name;
    bool operator==(KeygenSettings const&) const = default;
};
[[nodiscard]] KeygenSettings keygen_settings(Arguments const& arguments);

// Which node `lull nodes new` enrols, and its join bundle.
struct NewNodeSettings {
    Connection connection;
    NodeName name;
    fs::path out;                 // file of the join bundle
    std::vector<fs::path> trust;  // further files with public keys of publishers
    bool operator==(NewNodeSettings const&) const = default;
};
[[nodiscard]] Result<NewNodeSettings> new_node_settings(Arguments const& arguments);

// Which nodes `lull nodes remove` takes out of the fleet.
struct RemoveNodesSettings {
    Connection connection;
    std::vector<NodeName> nodes;
    Output output = Output::text;
    bool operator==(RemoveNodesSettings const&) const = default;
};
[[nodiscard]] Result<RemoveNodesSettings> remove_nodes_settings(Arguments const& arguments);

}  // namespace lull::publisher
