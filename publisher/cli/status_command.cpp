#include <algorithm>

#include "publisher/cli/commands.hpp"
#include "publisher/cli/query_settings.hpp"
#include "publisher/cli/status_view.hpp"
#include "publisher/client/query.hpp"

namespace lull::publisher {

namespace {

// The sizes of releases are shown only beside downloads.
Result<std::vector<ReleaseRow>> releases_in_transfer(ClientOptions const& options, Answer const& answer) {
    if (std::ranges::count(answer.status, NodeState::fetching, &StatusRow::state) == 0)
        return std::vector<ReleaseRow>();
    Admin question;
    question.verb = AdminVerb::list;
    auto releases = request(options, question);
    if (!releases) return pass(releases.error());
    return std::move(releases->releases);
}

Status status(Arguments const& arguments) {
    auto const settings = status_settings(arguments);
    if (!settings) return pass(settings.error());
    auto const options = client_options(settings->connection);
    if (!options) return pass(options.error());
    auto const answer = request(*options, settings->question);
    if (!answer) return pass(answer.error());
    if (settings->output == Output::json) return print_json(status_json(*answer));
    auto const releases = releases_in_transfer(*options, *answer);
    if (!releases) return pass(releases.error());
    return print(status_text(*answer, *releases, painting_for_output()));
}

}  // namespace

Command status_command() {
    return {.name = "status",
            .summary = "show the state of the newest release on each node, since when, and why",
            .positional = {"[SOFTWARE]"},
            .options = {{.name = "node", .help = "only this node", .placeholder = "NAME"}, json_option()},
            .example = "lull status kiosk-browser --node till-17",
            .run = status};
}

}  // namespace lull::publisher
