#include "publisher/cli/commands.hpp"
#include "publisher/cli/query_settings.hpp"
#include "publisher/client/following.hpp"

namespace lull::publisher {

namespace {

// The first PROGRESS that the broker sends.
Status ask_once(ClientOptions const& options, Follow const& what, std::optional<ReleaseProgress>& last) {
    auto const once = follow(
        options, what,
        {[](ReleaseProgress const&) { return std::optional(Status()); }, release_progress_text, std::nullopt, {}});
    if (!once) return pass(once.error());
    last = *once;
    return {};
}

Status progress(Arguments const& arguments) {
    auto const settings = progress_settings(arguments);
    if (!settings) return pass(settings.error());
    auto const options = client_options(settings->connection);
    if (!options) return pass(options.error());
    std::optional<ReleaseProgress> last;
    Progress bar(stderr, style_for(stderr));
    auto outcome = settings->waiting.goal ? wait_for(*options, settings->what, settings->waiting, bar, last)
                                          : ask_once(*options, settings->what, last);
    if (!last) return outcome;
    auto printed = settings->output == Output::json ? print_json(progress_json(*last))
                                                    : print(release_progress_text(*last) + "\n");
    return printed ? outcome : printed;
}

}  // namespace

Command progress_command() {
    std::vector<Option> options = wait_options();
    options.push_back(json_option());
    return {.name = "progress",
            .summary = "show on how many nodes a release is in which state, and the stage of its rollout",
            .positional = {"SOFTWARE", "[VERSION]"},
            .options = std::move(options),
            .example = "lull progress kiosk-browser --wait active:95%",
            .run = progress};
}

}  // namespace lull::publisher
