#include <algorithm>
#include <array>
#include <span>

#include "core/clock.hpp"
#include "core/duration.hpp"
#include "core/schedule.hpp"
#include "publisher/commands.hpp"
#include "publisher/forecast.hpp"
#include "publisher/progress.hpp"
#include "publisher/settings.hpp"
#include "publisher/words.hpp"

namespace lull::publisher {

namespace {

constexpr std::uint64_t longest_timeout = 7 * 24 * 3600;  // seconds
constexpr std::array<std::string_view, 4> urgencies = {"background", "normal", "urgent", "immediate"};
constexpr std::array<std::string_view, 3> policies = {"wait", "restart", "now"};

// What the arguments ask for, checked before anything is read or sent.
struct Plan {
    BuildRequest build;
    Distribution distribution;
    TopDirectory top = TopDirectory::keep;
    Duration timeout{};
};

template <class Enum>
Result<Enum> parse_word(std::string const& option, std::string const& text,
                        std::span<std::string_view const> words) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (text == words[i]) return static_cast<Enum>(i);
    }
    return fail(Fault::usage, "--{} is '{}', and has to be one of: {}", option, text, fmt::join(words, ", "));
}

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

Result<std::uint64_t> seconds_of(Arguments const& arguments, std::string const& option) {
    auto const duration = parse_duration(arguments.text(option));
    if (!duration) return fail(Fault::usage, "--{}: {}", option, duration.error().message);
    return static_cast<std::uint64_t>(duration->count());
}

Result<HealthCheck> health_of(Arguments const& arguments) {
    auto words = split_words(arguments.text("health"));
    if (!words) return pass(words.error());
    if (words->empty()) return fail(Fault::usage, "--health names no program");
    HealthCheck health{words->front(), {words->begin() + 1, words->end()}};
    auto const limit = seconds_of(arguments, "health-time");
    if (!limit) return pass(limit.error());
    health.time_limit = *limit;
    auto const tries = arguments.number("health-tries");
    if (!tries) return pass(tries.error());
    health.tries = *tries;
    return health;
}

Result<Activation> activation_of(Arguments const& arguments) {
    Activation activation;
    auto const grace = seconds_of(arguments, "grace");
    if (!grace) return pass(grace.error());
    activation.grace = *grace;
    if (arguments.has("deadline")) {
        auto const deadline = seconds_of(arguments, "deadline");
        if (!deadline) return pass(deadline.error());
        activation.deadline = *deadline;
    }
    if (arguments.has("activate-at")) {
        auto const windows = Schedule::parse_times(arguments.text("activate-at"));
        if (!windows) return fail(Fault::usage, "--activate-at: {}", windows.error().message);
        activation.windows = arguments.text("activate-at");
    }
    if (arguments.has("health")) {
        auto health = health_of(arguments);
        if (!health) return pass(health.error());
        activation.health = std::move(*health);
    }
    activation.units = arguments.all("unit");
    if (auto const valid = validate(activation); !valid) return fail(Fault::usage, "{}", valid.error().message);
    return activation;
}

Result<Distribution> distribution_of(Arguments const& arguments) {
    Distribution distribution;
    for (auto const& text : arguments.all("group")) {
        auto group = GroupName::parse(text);
        if (!group) return pass(group.error());
        distribution.groups.push_back(std::move(*group));
    }
    auto const urgency = parse_word<Urgency>("urgency", arguments.text("urgency"), urgencies);
    if (!urgency) return pass(urgency.error());
    distribution.urgency = *urgency;
    auto const policy = parse_word<Policy>("policy", arguments.text("policy"), policies);
    if (!policy) return pass(policy.error());
    distribution.policy = *policy;
    auto activation = activation_of(arguments);
    if (!activation) return pass(activation.error());
    if (*activation != Activation{}) distribution.activation = std::move(*activation);
    return distribution;
}

Result<Plan> plan_of(Arguments const& arguments) {
    Plan plan;
    auto build = build_request(arguments);
    if (!build) return pass(build.error());
    plan.build = std::move(*build);
    auto distribution = distribution_of(arguments);
    if (!distribution) return pass(distribution.error());
    plan.distribution = std::move(*distribution);
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

// A health check that no node can run would roll back everywhere.
Status check_health_program(Release const& release, Distribution const& distribution) {
    if (!distribution.activation || !distribution.activation->health) return {};
    auto const& program = distribution.activation->health->program;
    auto const& entries = release.manifest.entries;
    auto const entry = std::find_if(entries.begin(), entries.end(), [&](Entry const& one) { return one.path == program; });
    bool const runs = entry != entries.end() && (entry->type == EntryType::symlink || (entry->type == EntryType::file && entry->executable));
    if (runs) return {};
    return fail(Fault::usage, "--health: '{}' is no executable file of the release", program);
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

Status print_committed(Release const& release, Committed const& committed, Arguments const& arguments) {
    if (arguments.flag("json")) {
        auto json = release_json(release);
        json["seq"] = committed.seq.value;
        json["epoch"] = fmt::format("{:016x}", committed.epoch.value);
        json["time"] = to_text(committed.time);
        json["before"] = committed.before;
        return print_json(json);
    }
    return print(fmt::format("{} {}; number {} in the broker's log\n",
                             committed.before ? "was published before, with these contents:" : "published",
                             release_text(release), committed.seq.value));
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
    if (auto runs = check_health_program(*release, plan->distribution); !runs) return runs;
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
    return print_committed(*release, *committed, arguments);
}

}  // namespace

Command publish_command() {
    return {.name = "publish",
            .summary = "publish a directory, a file or an archive as a release",
            .positional = {"PATH"},
            .options = {{.name = "name", .help = "which software it is", .placeholder = "NAME", .required = true},
                        {.name = "version", .help = "which version of it", .placeholder = "VERSION", .required = true},
                        {.name = "arch",
                         .help = "for which architecture (default: by its ELF files, else any)",
                         .placeholder = "ARCH"},
                        {.name = "start",
                         .help = "what 'lull-node run' starts: program in the tree, and arguments",
                         .placeholder = "COMMAND"},
                        {.name = "group", .help = "only for this group of nodes", .placeholder = "GROUP", .many = true},
                        {.name = "urgency",
                         .help = "how much others on the network may notice: background, normal, urgent, or immediate: it takes what it can get",
                         .placeholder = "WORD",
                         .fallback = "normal"},
                        {.name = "policy",
                         .help = "while the release before is in use: wait until it is not; restart: ask who uses it to end, then end it; "
                                 "now: who uses it keeps its files",
                         .placeholder = "WORD",
                         .fallback = "wait"},
                        {.name = "grace",
                         .help = "with restart: how long who uses it has to end by itself",
                         .placeholder = "TIME",
                         .fallback = "30s"},
                        {.name = "deadline",
                         .help = "with wait: after so long who uses it is asked to end, as with restart",
                         .placeholder = "TIME"},
                        {.name = "activate-at",
                         .help = "times of day at which nodes may switch to it, like '22:00-05:00 Europe/Berlin'",
                         .placeholder = "TIMES"},
                        {.name = "unit",
                         .help = "systemd service that is stopped before the switch and started after it, with restart",
                         .placeholder = "UNIT",
                         .many = true},
                        {.name = "health",
                         .help = "program of the release that ends with 0 if it works on a node; else the node goes back to the release before",
                         .placeholder = "COMMAND"},
                        {.name = "health-time", .help = "how long it may take", .placeholder = "TIME", .fallback = "10s"},
                        {.name = "health-tries", .help = "how often it may fail before it counts", .placeholder = "N", .fallback = "3"},
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
                        {.name = "json", .help = "print JSON"}},
            .example = "lull publish build/ --name kiosk-browser --version 1.4.2 --start 'bin/browser --kiosk'",
            .run = publish_release};
}

}  // namespace lull::publisher
