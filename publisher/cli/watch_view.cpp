#include "publisher/cli/watch_view.hpp"

namespace lull::publisher {

using watch::DryRun;
using watch::SoftwareStatus;
using watch::WatchState;

std::string watch_status_text(WatchState const& state, WatcherRuns runs, WallTime now, Painting painting) {
    auto text = fmt::format("{}: {}; {}\n", harmless(state.directory),
                            runs == WatcherRuns::yes
                                ? fmt::format("watched by process {}", state.pid)
                                : fmt::format("not watched since {}", clock_text(state.written, now)),
                            harmless(state.kernel));
    Table table({{"SOFTWARE"}, {"LAST RELEASE"}, {"RELEASED"}, {"LAST LOOK"}, {"WAITS FOR"}});
    for (auto const& row : state.software) {
        table.add({{row.software.text()},
                   {row.last ? row.last->version.text() : "-"},
                   {row.last ? clock_text(row.last->time, now) : "-"},
                   {row.last_look ? clock_text(*row.last_look, now) : "-"},
                   {row.waits_for, row.error.empty() ? Colour::plain : Colour::yellow}});
    }
    text += table.render(painting);
    for (auto const& row : state.software) {
        if (!row.error.empty()) text += fmt::format("{}: {}\n", row.software.text(), harmless(row.error));
    }
    for (auto const& line : state.invalid) text += harmless(line) + "\n";
    return text;
}

Json watch_status_json(WatchState const& state, WatcherRuns runs) {
    Json rows = Json::array();
    for (auto const& row : state.software) {
        Json json = {{"software", row.software.text()}, {"waits_for", row.waits_for}};
        if (row.last_look) json["last_look"] = to_text(*row.last_look);
        if (row.last) json["last_release"] = {{"version", row.last->version.text()}, {"time", to_text(row.last->time)}};
        if (!row.error.empty()) json["last_error"] = row.error;
        rows.push_back(std::move(json));
    }
    return {{"directory", state.directory},
            {"running", runs == WatcherRuns::yes},
            {"pid", state.pid},
            {"written", to_text(state.written)},
            {"kernel", state.kernel},
            {"software", std::move(rows)},
            {"not_watched", state.invalid}};
}

std::string dry_run_text(std::vector<DryRun> const& runs, std::vector<std::string> const& invalid) {
    std::string text;
    for (auto const& run : runs) {
        text += run.software + "\n";
        if (!run.version.empty()) text += fmt::format("  version: {} (from {})\n", run.version, harmless(run.source));
        for (auto const& [name, values] : run.options) {
            for (auto const& value : values) text += fmt::format("  option: {} = {}\n", name, harmless(value));
        }
        text += run.error.empty() ? fmt::format("  would do: {}\n", harmless(run.action))
                                  : fmt::format("  error: {}\n", harmless(run.error));
    }
    for (auto const& line : invalid) text += harmless(line) + "\n";
    return text;
}

Json dry_run_json(std::vector<DryRun> const& runs, std::vector<std::string> const& invalid) {
    Json rows = Json::array();
    for (auto const& run : runs) {
        Json json = {{"software", run.software}};
        if (!run.version.empty()) json["version"] = run.version;
        if (!run.source.empty()) json["version_from"] = run.source;
        json["options"] = Json::object();
        for (auto const& [name, values] : run.options) json["options"][name] = values;
        json[run.error.empty() ? "would_do" : "error"] = run.error.empty() ? run.action : run.error;
        rows.push_back(std::move(json));
    }
    return {{"dry_run", true}, {"software", std::move(rows)}, {"not_watched", invalid}};
}

}  // namespace lull::publisher
