#include <algorithm>

#include "core/clock.hpp"
#include "publisher/cli/commands.hpp"
#include "publisher/cli/progress_bar.hpp"
#include "publisher/cli/publish_settings.hpp"
#include "publisher/client/publish_client.hpp"
#include "publisher/client/query.hpp"
#include "publisher/release/distribution.hpp"
#include "publisher/release/forecast.hpp"
#include "publisher/release/program_check.hpp"
#include "publisher/release/tree_options.hpp"

namespace lull::publisher {

namespace {

// Builds with the help of the cache. A cache that cannot be written costs time, not the release.
Result<Release> build(fs::path const& path, PublishSettings const& settings, SigningKey const& key,
                      Progress& progress) {
    auto const tree = open_source(path, settings.top, settings.rules);
    if (!tree) return pass(tree.error());
    for (auto const& note : tree->notes) progress.say("lull: " + note);
    auto cache = tree->lasting ? StatCache::load(settings.cache, tree->single.empty() ? tree->root : tree->single,
                                                 settings.belief)
                               : StatCache();
    if (!cache.warning().empty()) progress.say(fmt::format("lull: warning: {}", cache.warning()));
    SystemClock const clock;
    auto release = build_release(*tree, settings.build, key, cache,
                                 [&](Bytes done, Bytes total) { progress.show("reading", done, total, clock.now()); });
    progress.end();
    if (!release) return release;
    if (auto const saved = cache.save(); !saved) progress.say(fmt::format("lull: warning: {}", saved.error().message));
    return release;
}

Json release_json(Release const& release) {
    auto const& manifest = release.manifest;
    return {{"software", manifest.software.text()},           {"version", manifest.version.text()},
            {"architecture", manifest.architecture.text()},   {"manifest", release.manifest_digest.hex()},
            {"size", manifest.content_size().count()},        {"files", manifest.file_count()},
            {"segments", manifest.segments.size()},           {"files_read", release.report.files_read},
            {"bytes_read", release.report.bytes_read.count()}};
}

std::string release_text(Release const& release) {
    auto const& manifest = release.manifest;
    return fmt::format("{} {} for {}: {} files, {}", manifest.software.text(), manifest.version.text(),
                       manifest.architecture.text(), manifest.file_count(), to_text(manifest.content_size()));
}

// By the paths of --against, in their order.
using Forecasts = std::vector<std::pair<fs::path, Forecast>>;

Result<Forecasts> forecast_all(Release const& release, PublishSettings const& settings, SigningKey const& key,
                               Progress& progress) {
    SystemClock const clock;
    auto old_settings = settings;
    old_settings.build.start.clear();  // the older tree need not have that program
    Forecasts forecasts;
    for (auto const& path : settings.against) {
        auto const old = build(path, old_settings, key, progress);
        if (!old) return pass(old.error());
        auto const outcome = forecast(
            *old, release, [&](Bytes done, Bytes total) { progress.show("comparing", done, total, clock.now()); });
        progress.end();
        if (!outcome) return pass(outcome.error());
        forecasts.emplace_back(path, *outcome);
    }
    return forecasts;
}

Status print_dry_run(Release const& release, Forecasts const& forecasts, Output output) {
    if (output == Output::json) {
        auto json = release_json(release);
        json["dry_run"] = true;
        for (auto const& [path, forecast] : forecasts) {
            json["against"].push_back({{"path", path.string()}, {"to_fetch", forecast.update.count()}});
            json["to_fetch"] = forecast.whole.count();
        }
        return print_json(json);
    }
    auto text = fmt::format("would publish {}\n{} segments, manifest {} ({}); {} files were read, {} known\n",
                            release_text(release), release.manifest.segments.size(), release.manifest_digest.hex(),
                            to_text(Bytes(release.manifest_object.size())), release.report.files_read,
                            release.report.files_known);
    for (auto const& [path, forecast] : forecasts) {
        text += fmt::format("a node with {} would fetch {}, a new node {}\n", path.string(), to_text(forecast.update),
                            to_text(forecast.whole));
    }
    return print(text);
}

Json committed_json(Release const& release, Committed const& committed) {
    auto json = release_json(release);
    json["seq"] = committed.seq.value;
    json["epoch"] = fmt::format("{:016x}", committed.epoch.value);
    json["time"] = to_text(committed.time);
    json["before"] = committed.before;
    return json;
}

std::string committed_text(Release const& release, Committed const& committed) {
    return fmt::format("{} {}; number {} in the broker's log\n",
                       committed.before ? "was published before, with these contents:" : "published",
                       release_text(release), committed.seq.value);
}

// The broker keeps what was published first. Options that differ would be lost without a word.
Status check_same_options(ClientOptions const& options, Committed const& committed, Distribution const& asked) {
    auto const releases = list_releases(options, committed.software);
    if (!releases) return pass(releases.error());
    auto const row = std::ranges::find(*releases, committed.seq, &ReleaseRow::seq);
    if (row == releases->end()) return {};  // it has left the log meanwhile
    auto const info = update_info_in(*row);
    if (!info) return pass(info.error());
    auto const names = differences(distribution_in(*info), asked);
    if (names.empty()) return {};
    return fail(
        Fault::refused,
        "{0} {1} was published before with other options ({2}), and they stay; choose a new version, or see them "
        "with: lull show {0} {1}",
        committed.software.text(), committed.version.text(), fmt::join(names, ", "));
}

Status send_release(Release const& release, PublishSettings const& settings, ClientOptions const& options,
                    SigningKey const& key, Progress& progress) {
    SystemClock const clock;
    auto const update_info = seal_update_info(release, settings.distribution, clock.wall(), key);
    ClientProgress const sink{[&](Bytes done, Bytes total) { progress.show("uploading", done, total, clock.now()); },
                              [&](std::string const& text) { progress.say(fmt::format("lull: {}", text)); }};
    auto const committed = publish(options, release, update_info, sink);
    progress.end();
    if (!committed) return pass(committed.error());
    if (committed->before) {
        auto const same = check_same_options(options, *committed, settings.distribution);
        if (!same) return same;
    }
    return tell_and_wait(
        committed_text(release, *committed), committed_json(release, *committed), settings.output,
        [&](std::optional<ReleaseProgress>& last) {
            return wait_for(options, {committed->software, committed->version}, settings.waiting, progress, last);
        });
}

// The settings of the command line, and for the rest those of lull.conf in the directory that is published.
Result<PublishSettings> settings_with_file(Arguments const& arguments) {
    auto const file = read_tree_file(arguments.positional().front());
    if (!file) return pass(file.error());
    return publish_settings(arguments.filled_from(*file));
}

Status publish_release(Arguments const& arguments) {
    auto const settings = settings_with_file(arguments);
    if (!settings) return pass(settings.error());
    auto const broker = settings->dry_run ? Result<BrokerAddress>(BrokerAddress{}) : broker_of(settings->connection);
    if (!broker) return pass(broker.error());
    auto const identity = load_identity(settings->connection);
    if (!identity) return pass(identity.error());
    auto const& key = identity->secret.signing;

    Progress progress(stderr, style_for(stderr));
    auto const release = build(settings->path, *settings, key, progress);
    if (!release) return pass(release.error());
    if (auto runs = check_programs(*release, settings->distribution); !runs) return runs;
    if (settings->dry_run) {
        auto const forecasts = forecast_all(*release, *settings, key, progress);
        return forecasts ? print_dry_run(*release, *forecasts, settings->output) : pass(forecasts.error());
    }
    auto options = client_options(*broker, *identity);
    options.patience = settings->patience;
    return send_release(*release, *settings, options, key, progress);
}

}  // namespace

Command publish_command() {
    return {.name = "publish",
            .summary = "publish a directory, a file or an archive as a release",
            .positional = {"PATH"},
            .options = publish_options(),
            .example = "lull publish build/ --name kiosk-browser --version 1.4.2 --start 'bin/browser --kiosk'",
            .run = publish_release};
}

}  // namespace lull::publisher
