#include "publisher/cli/key_settings.hpp"

#include "schema/limits.hpp"

namespace lull::publisher {

KeygenSettings keygen_settings(Arguments const& arguments) {
    return {connection_of(arguments), arguments.text("name")};
}

Result<NewNodeSettings> new_node_settings(Arguments const& arguments) {
    auto name = NodeName::parse(arguments.positional().front());
    if (!name) return pass(name.error());
    fs::path const out = arguments.has("out") ? arguments.text("out") : name->text() + ".join";
    auto const trust = arguments.all("trust");
    return NewNodeSettings{connection_of(arguments), std::move(*name), out, {trust.begin(), trust.end()}};
}

Result<RemoveNodesSettings> remove_nodes_settings(Arguments const& arguments) {
    RemoveNodesSettings settings{connection_of(arguments), {}, output_of(arguments)};
    for (auto const& text : arguments.positional()) {
        auto name = NodeName::parse(text);
        if (!name) return pass(name.error());
        settings.nodes.push_back(std::move(*name));
    }
    if (settings.nodes.size() <= limits::nodes_per_removal) return settings;
    return fail(Fault::usage, "{} nodes are more than {}; name them in several commands", settings.nodes.size(),
                limits::nodes_per_removal);
}

}  // namespace lull::publisher
