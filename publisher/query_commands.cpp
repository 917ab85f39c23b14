#include <algorithm>

#include "publisher/commands.hpp"
#include "publisher/settings.hpp"
#include "publisher/views.hpp"

namespace lull::publisher {

namespace {

// Takes the optional SOFTWARE argument into the question.
Status take_software(Arguments const& arguments, Admin& question) {
    auto const text = positional_or_empty(arguments, 0);
    if (text.empty()) return {};
    auto software = SoftwareName::parse(text);
    if (!software) return pass(software.error());
    question.software = std::move(*software);
    return {};
}

Status take_node(Arguments const& arguments, Admin& question) {
    if (!arguments.has("node")) return {};
    auto node = NodeName::parse(arguments.text("node"));
    if (!node) return pass(node.error());
    question.node = std::move(*node);
    return {};
}

Status list(Arguments const& arguments) {
    Admin question;
    question.verb = AdminVerb::list;
    if (auto status = take_software(arguments, question); !status) return status;
    auto const options = connection_of(arguments);
    if (!options) return pass(options.error());
    auto const answer = request(*options, question);
    if (!answer) return pass(answer.error());
    auto const sizes = arguments.flag("sizes") ? Sizes::shown : Sizes::hidden;
    return arguments.flag("json") ? print_json(list_json(*answer)) : print(list_text(*answer, sizes, painting_for_output()));
}

// The sizes of releases matter only while something is on its way.
Result<std::vector<ReleaseRow>> releases_on_their_way(ClientOptions const& options, Answer const& answer) {
    auto const downloading = [](auto const& row) { return row.state == NodeState::downloading; };
    if (std::none_of(answer.status.begin(), answer.status.end(), downloading)) return std::vector<ReleaseRow>();
    Admin question;
    question.verb = AdminVerb::list;
    auto releases = request(options, question);
    if (!releases) return pass(releases.error());
    return std::move(releases->releases);
}

Status status(Arguments const& arguments) {
    Admin question;
    question.verb = AdminVerb::status;
    if (auto taken = take_software(arguments, question); !taken) return taken;
    if (auto taken = take_node(arguments, question); !taken) return taken;
    auto const options = connection_of(arguments);
    if (!options) return pass(options.error());
    auto const answer = request(*options, question);
    if (!answer) return pass(answer.error());
    if (arguments.flag("json")) return print_json(status_json(*answer));
    auto const releases = releases_on_their_way(*options, *answer);
    if (!releases) return pass(releases.error());
    return print(status_text(*answer, *releases, painting_for_output()));
}

}  // namespace

Command list_command() {
    return {.name = "list",
            .summary = "show what is published",
            .positional = {"[SOFTWARE]"},
            .options = {{.name = "sizes", .help = "and what a node with each release has to fetch to get to the newest"},
                        {.name = "json", .help = "print JSON"}},
            .example = "lull list kiosk-browser --sizes",
            .run = list};
}

Command status_command() {
    return {.name = "status",
            .summary = "show which node has what, since when, and why not",
            .positional = {"[SOFTWARE]"},
            .options = {{.name = "node", .help = "only this node", .placeholder = "NAME"},
                        {.name = "json", .help = "print JSON"}},
            .example = "lull status kiosk-browser --node till-17",
            .run = status};
}

}  // namespace lull::publisher
