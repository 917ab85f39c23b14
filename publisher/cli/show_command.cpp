#include <algorithm>

#include "core/clock.hpp"
#include "publisher/cli/commands.hpp"
#include "publisher/cli/query_settings.hpp"
#include "publisher/cli/show_view.hpp"
#include "publisher/client/query.hpp"

namespace lull::publisher {

namespace {

Result<ReleaseRow> wanted_row(std::vector<ReleaseRow> const& releases, ShowSettings const& settings) {
    auto const& software = settings.software.text();
    if (releases.empty()) {
        return fail(Fault::not_found, "the broker has no release of {}; 'lull list' shows what it has", software);
    }
    auto const found = settings.version ? std::ranges::find(releases, *settings.version, &ReleaseRow::version)
                                        : std::ranges::find(releases, true, &ReleaseRow::newest);
    if (found != releases.end()) return *found;
    return fail(Fault::not_found, "the broker has no {0} {1} (any more); 'lull list {0}' shows its releases", software,
                settings.version ? settings.version->text() : std::string());
}

Status show(Arguments const& arguments) {
    auto const settings = show_settings(arguments);
    if (!settings) return pass(settings.error());
    auto const options = client_options(settings->connection);
    if (!options) return pass(options.error());
    auto const releases = list_releases(*options, settings->software);
    if (!releases) return pass(releases.error());
    auto const row = wanted_row(*releases, *settings);
    if (!row) return pass(row.error());
    auto const info = update_info_in(*row);
    if (!info) return pass(info.error());
    if (settings->output == Output::json) return print_json(show_json(*row, *info));
    return print(show_text(*row, *info, SystemClock().wall()));
}

}  // namespace

Command show_command() {
    return {.name = "show",
            .summary = "show all options, builds and keys of a release",
            .positional = {"SOFTWARE", "[VERSION]"},
            .options = {json_option()},
            .example = "lull show kiosk-browser 1.4.2",
            .run = show};
}

}  // namespace lull::publisher
