#include "publisher/cli/calls_view.hpp"
#include "publisher/cli/commands.hpp"
#include "publisher/cli/query_settings.hpp"
#include "publisher/client/query.hpp"

namespace lull::publisher {

namespace {

Status calls(Arguments const& arguments) {
    auto const settings = calls_settings(arguments);
    if (!settings) return pass(settings.error());
    auto const options = client_options(settings->connection);
    if (!options) return pass(options.error());
    auto const answer = request(*options, settings->question);
    if (!answer) return pass(answer.error());
    if (settings->output == Output::json) return print_json(calls_json(*answer));
    return print(calls_text(*answer, painting_for_output()));
}

}  // namespace

Command calls_command() {
    return {.name = "calls",
            .summary = "show the remote calls that run, and the last 1,000",
            .positional = {"[SOFTWARE]"},
            .options = {{.name = "node", .help = "only those of this caller", .placeholder = "NAME"}, json_option()},
            .example = "lull calls solver --node till-17",
            .run = calls};
}

}  // namespace lull::publisher
