#include "publisher/cli/commands.hpp"
#include "publisher/cli/key_settings.hpp"
#include "publisher/cli/nodes_view.hpp"
#include "publisher/client/query.hpp"

namespace lull::publisher {

namespace {

Status nodes_remove(Arguments const& arguments) {
    auto const settings = remove_nodes_settings(arguments);
    if (!settings) return pass(settings.error());
    auto const options = client_options(settings->connection);
    if (!options) return pass(options.error());
    Admin question;
    question.verb = AdminVerb::nodes_remove;
    question.nodes = settings->nodes;
    if (auto const answer = request(*options, question); !answer) return pass(answer.error());
    if (settings->output == Output::json) return print_json(removed_nodes_json(settings->nodes));
    return print(removed_nodes_text(settings->nodes));
}

}  // namespace

Command nodes_remove_command() {
    return {.name = "nodes remove",
            .summary = "take nodes out of the fleet: their keys are refused from now on, and no table counts them",
            .positional = {"NAME..."},
            .options = {json_option()},
            .example = "lull nodes remove till-17 till-18",
            .run = nodes_remove};
}

}  // namespace lull::publisher
