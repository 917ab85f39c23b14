#include "publisher/cli/commands.hpp"
#include "publisher/cli/nodes_view.hpp"
#include "publisher/cli/query_settings.hpp"
#include "publisher/client/query.hpp"

namespace lull::publisher {

namespace {

Status nodes(Arguments const& arguments) {
    auto const settings = nodes_settings(arguments);
    if (!settings) return pass(settings.error());
    auto const options = client_options(settings->connection);
    if (!options) return pass(options.error());
    auto const answer = request(*options, settings->question);
    if (!answer) return pass(answer.error());
    if (settings->output == Output::json) return print_json(nodes_json(*answer));
    return print(nodes_text(*answer, painting_for_output()));
}

}  // namespace

Command nodes_command() {
    return {.name = "nodes",
            .summary = "show the enrolled nodes",
            .positional = {},
            .options = {json_option()},
            .example = "lull nodes",
            .run = nodes};
}

}  // namespace lull::publisher
