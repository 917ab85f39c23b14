#include "publisher/cli/commands.hpp"
#include "publisher/cli/query_settings.hpp"
#include "publisher/client/query.hpp"

namespace lull::publisher {

namespace {

Status list(Arguments const& arguments) {
    auto const settings = list_settings(arguments);
    if (!settings) return pass(settings.error());
    auto const options = client_options(settings->connection);
    if (!options) return pass(options.error());
    auto const answer = request(*options, settings->question);
    if (!answer) return pass(answer.error());
    if (settings->output == Output::json) return print_json(list_json(*answer));
    return print(list_text(*answer, settings->sizes, painting_for_output()));
}

}  // namespace

Command list_command() {
    return {.name = "list",
            .summary = "show the published releases",
            .positional = {"[SOFTWARE]"},
            .options = {{.name = "sizes",
                         .help = "add the bytes that a node with each release fetches to get to the newest"},
                        json_option()},
            .example = "lull list kiosk-browser --sizes",
            .run = list};
}

}  // namespace lull::publisher
