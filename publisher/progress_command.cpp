#include "publisher/commands.hpp"
#include "publisher/settings.hpp"
#include "publisher/wait_options.hpp"

namespace lull::publisher {

namespace {

Result<Follow> release_of(Arguments const& arguments) {
    Follow what;
    auto software = SoftwareName::parse(arguments.positional().front());
    if (!software) return pass(software.error());
    what.software = std::move(*software);
    auto const text = positional_or_empty(arguments, 1);
    if (text.empty()) return what;
    auto version = VersionName::parse(text);
    if (!version) return pass(version.error());
    what.version = std::move(*version);
    return what;
}

Status print_progress(ReleaseProgress const& progress, Arguments const& arguments) {
    return arguments.flag("json") ? print_json(progress_json(progress)) : print(release_progress_text(progress) + "\n");
}

Status progress(Arguments const& arguments) {
    auto const what = release_of(arguments);
    if (!what) return pass(what.error());
    auto const waiting = waiting_of(arguments);
    if (!waiting) return pass(waiting.error());
    auto const options = connection_of(arguments);
    if (!options) return pass(options.error());
    std::optional<ReleaseProgress> last;
    Status outcome;
    if (waiting->goal) {
        Progress bar(stderr, style_for(stderr));
        outcome = wait_for(*options, *what, *waiting, bar, last);
    } else {
        auto const once = follow(*options, *what, {[](ReleaseProgress const&) { return std::optional(Status()); }, release_progress_text, std::nullopt, {}});
        if (!once) return pass(once.error());
        last = *once;
    }
    if (last) {
        if (auto printed = print_progress(*last, arguments); !printed) return printed;
    }
    return outcome;
}

}  // namespace

Command progress_command() {
    std::vector<Option> options = wait_options();
    options.push_back({.name = "json", .help = "print JSON"});
    return {.name = "progress",
            .summary = "show how far a release is in the fleet, and how far its rollout",
            .positional = {"SOFTWARE", "[VERSION]"},
            .options = std::move(options),
            .example = "lull progress kiosk-browser --wait active:95%",
            .run = progress};
}

}  // namespace lull::publisher
