#include <algorithm>
#include <tuple>

#include "core/clock.hpp"
#include "publisher/commands.hpp"
#include "publisher/distribution.hpp"
#include "publisher/forecast.hpp"
#include "publisher/progress.hpp"
#include "publisher/settings.hpp"
#include "publisher/wait_options.hpp"
#include "publisher/words.hpp"

namespace lull::publisher {

namespace {

constexpr std::uint64_t longest_timeout = 7 * 24 * 3600;  // seconds

// What the arguments ask for, checked before anything is read or sent.
struct Plan {
    BuildRequest build;
    Distribution distribution;
    TopDirectory top = TopDirectory::keep;
    Duration timeout{};
    Waiting waiting{};
};

Result<BuildRequest> build_request(Arguments const& arguments) {
    BuildRequest request;
    auto software = SoftwareName::parse(arguments.text("name"));
    if (!software) return pass(software.error());
    request.software = std::move(*software);
    auto version = VersionName::parse(arguments.text("version"));
    if (!version) return pass(version.error());
    request.version = std::move(*version);
    if (arguments.has("arch")) {
        auto architecture = ArchitectureName::parse(arguments.text("arch"));
        if (!architecture) return pass(architecture.error());
        request.architecture = std::move(*architecture);
    }
    auto start = split_words(arguments.text("start"));
    if (!start) return pass(start.error());
    request.start = std::move(*start);
    return request;
}

Result<Plan> plan_of(Arguments const& arguments) {
    Plan plan;
    auto build = build_request(arguments);
    if (!build) return pass(build.error());
    plan.build = std::move(*build);
    auto distribution = distribution_of(arguments);
    if (!distribution) return pass(distribution.error());
    plan.distribution = std::move(*distribution);
    auto const waiting = waiting_of(arguments);
    if (!waiting) return pass(waiting.error());
    plan.waiting = *waiting;
    if (arguments.flag("strip")) plan.top = TopDirectory::strip;
    if (arguments.has("against") && !arguments.flag("dry-run")) {
        return fail(Fault::usage, "--against is for --dry-run only; 'lull list --sizes' says it of what is published");
    }
    auto const seconds = arguments.number("timeout");
    if (!seconds) return pass(seconds.error());
    if (*seconds == 0 || *seconds > longest_timeout) {
        return fail(Fault::usage, "--timeout is {}, and has to be 1 to {} seconds", *seconds, longest_timeout);
    }
    plan.timeout = std::chrono::seconds(*seconds);
    return plan;
}

// Builds with the help of the cache. A cache that cannot be written costs time, not the release.
Result<Release> build(std::string const& path, Plan const& plan, Arguments const& arguments, SigningKey const& key, Progress& progress) {
    auto const tree = open_source(path, plan.top);
    if (!tree) return pass(tree.error());
    auto const belief = arguments.flag("paranoid") ? CacheBelief::nothing : CacheBelief::unchanged_files;
    auto cache = tree->lasting ? StatCache::load(arguments.text("cache"),
                                                 tree->single.empty() ? tree->root : tree->single, belief)
                               : StatCache();
    if (!cache.warning().empty()) progress.say(fmt::format("lull: warning: {}", cache.warning()));
    SystemClock const clock;
    auto release = build_release(*tree, plan.build, key, cache,
                                 [&](Bytes done, Bytes total) { progress.show("reading", done, total, clock.now()); });
    progress.end();
    if (!release) return release;
    if (auto const saved = cache.save(); !saved) progress.say(fmt::format("lull: warning: {}", saved.error().message));
    return release;
}

Status check_program(Release const& release, std::string_view option, std::string const& program) {
    auto const& entries = release.manifest.entries;
    auto const entry = std::find_if(entries.begin(), entries.end(), [&](Entry const& one) { return one.path == program; });
    bool const runs = entry != entries.end() && (entry->type == EntryType::symlink || (entry->type == EntryType::file && entry->executable));
    if (runs) return {};
    return fail(Fault::usage, "--{}: '{}' is no executable file of the release", option, program);
}

// A health check that no node can run would roll back everywhere, and a hook that none can run would keep them all back.
Status check_programs(Release const& release, Distribution const& distribution) {
    if (!distribution.activation) return {};
    auto const& [health, hooks] = std::tie(distribution.activation->health, distribution.activation->hooks);
    if (health) {
        if (auto runs = check_program(release, "health", health->program); !runs) return runs;
    }
    for (auto const& hook : hooks.value_or(std::vector<Hook>())) {
        if (auto runs = check_program(release, fmt::format("{}-switch", to_text(hook.time)), hook.program); !runs) return runs;
    }
    return {};
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
using Forecasts = std::vector<std::pair<std::string, Forecast>>;

Result<Forecasts> forecast_all(Release const& release, Plan const& plan, Arguments const& arguments, SigningKey const& key,
                               Progress& progress) {
    SystemClock const clock;
    Plan old_plan = plan;
    old_plan.build.start.clear();  // need not be in it
    Forecasts forecasts;
    for (auto const& path : arguments.all("against")) {
        auto const old = build(path, old_plan, arguments, key, progress);
        if (!old) return pass(old.error());
        auto const outcome = forecast(*old, release, [&](Bytes done, Bytes total) { progress.show("comparing", done, total, clock.now()); });
        progress.end();
        if (!outcome) return pass(outcome.error());
        forecasts.emplace_back(path, *outcome);
    }
    return forecasts;
}

Status print_dry_run(Release const& release, Forecasts const& forecasts, Arguments const& arguments) {
    if (arguments.flag("json")) {
        auto json = release_json(release);
        json["dry_run"] = true;
        for (auto const& [path, forecast] : forecasts) {
            json["against"].push_back({{"path", path}, {"to_fetch", forecast.update.count()}});
            json["to_fetch"] = forecast.whole.count();
        }
        return print_json(json);
    }
    auto text = fmt::format("would publish {}\n{} segments, manifest {} ({}); {} files were read, {} known\n", release_text(release),
                            release.manifest.segments.size(), release.manifest_digest.hex(),
                            to_text(Bytes(release.manifest_object.size())), release.report.files_read, release.report.files_known);
    for (auto const& [path, forecast] : forecasts) {
        text += fmt::format("a node with {} would fetch {}, one with nothing {}\n", path, to_text(forecast.update), to_text(forecast.whole));
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

Status publish_release(Arguments const& arguments) {
    auto const plan = plan_of(arguments);
    if (!plan) return pass(plan.error());
    bool const dry_run = arguments.flag("dry-run");
    auto const broker = dry_run ? Result<BrokerAddress>(BrokerAddress{}) : broker_of(arguments);
    if (!broker) return pass(broker.error());
    auto const identity = load_identity(arguments);
    if (!identity) return pass(identity.error());

    Progress progress(stderr, style_for(stderr));
    auto const release = build(arguments.positional().front(), *plan, arguments, identity->secret.signing, progress);
    if (!release) return pass(release.error());
    if (auto runs = check_programs(*release, plan->distribution); !runs) return runs;
    if (dry_run) {
        auto const forecasts = forecast_all(*release, *plan, arguments, identity->secret.signing, progress);
        return forecasts ? print_dry_run(*release, *forecasts, arguments) : pass(forecasts.error());
    }

    SystemClock const clock;
    auto const update_info = seal_update_info(*release, plan->distribution, clock.wall(), identity->secret.signing);
    auto options = client_options(*broker, *identity);
    options.patience = plan->timeout;
    ClientProgress const sink{[&](Bytes done, Bytes total) { progress.show("uploading", done, total, clock.now()); },
                              [&](std::string const& text) { progress.say(fmt::format("lull: {}", text)); }};
    auto const committed = publish(options, *release, update_info, sink);
    progress.end();
    if (!committed) return pass(committed.error());
    return tell_and_wait(committed_text(*release, *committed), committed_json(*release, *committed), arguments,
                         [&](std::optional<ReleaseProgress>& last) {
                             return wait_for(options, {committed->software, committed->version}, plan->waiting, progress, last);
                         });
}

}  // namespace

Command publish_command() {
    std::vector<Option> options = {
        {.name = "name", .help = "which software it is", .placeholder = "NAME", .required = true},
        {.name = "version", .help = "which version of it", .placeholder = "VERSION", .required = true},
        {.name = "arch",
         .help = "for which architecture (default: by its ELF files, else any)",
         .placeholder = "ARCH"},
        {.name = "start",
         .help = "what 'lull-node run' starts: program in the tree, and arguments",
         .placeholder = "COMMAND"}};
    for (auto& option : distribution_options()) options.push_back(std::move(option));
    for (auto& option : wait_options()) options.push_back(std::move(option));
    std::vector<Option> const others = {
        {.name = "strip", .help = "leave out the directory that is alone at the top of an archive"},
        {.name = "paranoid", .help = "read every file, also those that seem unchanged"},
        {.name = "cache",
         .help = "where to remember what unchanged files hold",
         .placeholder = "DIR",
         .fallback = default_cache_directory()},
        {.name = "timeout",
         .help = "give up after so many seconds without progress",
         .placeholder = "SECONDS",
         .fallback = "60"},
        {.name = "dry-run", .help = "build and show, but send nothing"},
        {.name = "against",
         .help = "with --dry-run: what a node that has this older tree, file or archive would have to fetch",
         .placeholder = "PATH",
         .many = true},
        {.name = "json", .help = "print JSON"}};
    options.insert(options.end(), others.begin(), others.end());
    return {.name = "publish",
            .summary = "publish a directory, a file or an archive as a release",
            .positional = {"PATH"},
            .options = std::move(options),
            .example = "lull publish build/ --name kiosk-browser --version 1.4.2 --start 'bin/browser --kiosk'",
            .run = publish_release};
}

}  // namespace lull::publisher
