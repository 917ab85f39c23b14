#include <algorithm>

#include "core/clock.hpp"
#include "publisher/cli/commands.hpp"
#include "publisher/cli/watch_settings.hpp"
#include "publisher/cli/watch_view.hpp"

namespace lull::publisher {

namespace {

using watch::DryRun;
using watch::WatchState;

Result<fs::path> watched_directory(WatchSettings const& settings) {
    std::error_code problem;
    auto directory = fs::canonical(settings.directory, problem);
    if (!problem && fs::is_directory(directory, problem) && !problem) return directory;
    auto const why = problem ? problem.message() : "it is no directory";
    return fail(Fault::not_found, "cannot watch {}: {}; check the path", settings.directory.string(), why);
}

Status show_status(WatchSettings const& settings, fs::path const& directory) {
    auto const state = WatchState::load(watch::state_file(settings.state, directory));
    if (!state && state.error().fault == Fault::not_found) {
        return fail(Fault::not_found,
                    "no watcher has written its state for {} into {}; --state names another directory",
                    directory.string(), settings.state.string());
    }
    if (!state) return pass(state.error());
    auto const runs = !state->started.empty() && watch::start_of_process(state->pid) == state->started
                          ? WatcherRuns::yes
                          : WatcherRuns::no;
    if (settings.output == Output::json) return print_json(watch_status_json(*state, runs));
    return print(watch_status_text(*state, runs, SystemClock().wall(), painting_for_output()));
}

Status show_dry_run(WatchSettings const& settings, fs::path const& directory, watch::Publisher const& publisher) {
    std::vector<DryRun> runs;
    watch::event::Listed listed;
    if (settings.only) {
        runs.push_back(watch::dry_run(*settings.only, directory, publisher));
    } else {
        auto found = watch::list_software(directory);
        if (!found) return pass(found.error());
        listed = std::move(*found);
        std::ranges::sort(listed.names);
        for (auto const& name : listed.names) runs.push_back(watch::dry_run(name, directory / name.text(), publisher));
    }
    auto const printed = settings.output == Output::json ? print_json(dry_run_json(runs, listed.invalid))
                                                         : print(dry_run_text(runs, listed.invalid));
    auto const bad = std::ranges::count_if(runs, [](DryRun const& run) { return !run.error.empty(); });
    if (!printed || bad == 0) return printed;
    return fail(Fault::failed, "{} of {} pieces of software cannot be released as they are", bad, runs.size());
}

Status watch_directory(Arguments const& arguments) {
    auto const settings = watch_settings(arguments);
    if (!settings) return pass(settings.error());
    auto const directory = watched_directory(*settings);
    if (!directory) return pass(directory.error());
    if (settings->mode == WatchSettings::Mode::status) return show_status(*settings, *directory);

    bool const needs_broker = settings->mode == WatchSettings::Mode::run || !settings->connection.broker.empty();
    auto const broker = needs_broker ? broker_of(settings->connection) : Result<BrokerAddress>(BrokerAddress{});
    if (!broker) return pass(broker.error());
    auto const identity = load_identity(settings->connection);
    if (!identity) return pass(identity.error());
    auto options = client_options(*broker, *identity);
    options.patience = settings->patience;
    watch::Publisher const publisher{options, identity->secret.signing, settings->cache};
    if (settings->mode == WatchSettings::Mode::dry_run) return show_dry_run(*settings, *directory, publisher);

    Log log("lull-watch", settings->least);
    return watch::run_watcher({*directory, settings->only, settings->times, settings->kernel, settings->state},
                              publisher, log);
}

}  // namespace

Command watch_command() {
    return {.name = "watch",
            .summary = "release what changes in the subdirectories of a directory, without a command",
            .positional = {"DIR"},
            .options = watch_options(),
            .example = "lull watch /srv/software",
            .run = watch_directory};
}

}  // namespace lull::publisher
