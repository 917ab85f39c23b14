#include "publisher/cli/publish_settings.hpp"

namespace lull::publisher {

namespace {

constexpr std::uint64_t longest_timeout = 7 * 24 * 3600;  // seconds

Result<BuildRequest> build_request(Arguments const& arguments) {
    BuildRequest request;
    auto software = SoftwareName::parse(arguments.text("name"));
    if (!software) return pass(software.error());
    request.software = std::move(*software);
    auto version = VersionName::parse(arguments.text("version"));
    if (!version) return pass(version.error());
    request.version = std::move(*version);
    return request;
}

}  // namespace

Result<Duration> timeout_of(Arguments const& arguments) {
    auto const seconds = arguments.number("timeout");
    if (!seconds) return pass(seconds.error());
    if (*seconds > 0 && *seconds <= longest_timeout) return std::chrono::seconds(*seconds);
    return fail(Fault::usage, "--timeout is {} seconds; it has to be 1 to {}", *seconds, longest_timeout);
}

Result<PublishSettings> publish_settings(Arguments const& arguments) {
    PublishSettings settings;
    settings.connection = connection_of(arguments);
    settings.path = arguments.positional().front();
    auto build = build_request(arguments);
    if (!build) return pass(build.error());
    settings.build = std::move(*build);
    auto tree = tree_options_of(arguments);
    if (!tree) return pass(tree.error());
    settings.build = tree->request_for(settings.build.software, settings.build.version);
    settings.rules = tree->rules();
    settings.distribution = std::move(tree->distribution);
    if (arguments.flag("strip")) settings.top = TopDirectory::strip;
    if (arguments.flag("paranoid")) settings.belief = CacheBelief::nothing;
    settings.cache = arguments.text("cache");
    auto const patience = timeout_of(arguments);
    if (!patience) return pass(patience.error());
    settings.patience = *patience;
    auto const waiting = waiting_of(arguments);
    if (!waiting) return pass(waiting.error());
    settings.waiting = *waiting;
    settings.dry_run = arguments.flag("dry-run");
    if (arguments.has("against") && !settings.dry_run) {
        return fail(Fault::usage,
                    "--against is for --dry-run only; 'lull list --sizes' shows the same for published releases");
    }
    for (auto const& path : arguments.all("against")) settings.against.emplace_back(path);
    settings.output = output_of(arguments);
    return settings;
}

std::vector<Option> sending_options() {
    return {{.name = "cache",
             .help = "directory in which lull remembers the contents of unchanged files",
             .placeholder = "DIR",
             .fallback = default_cache_directory()},
            {.name = "timeout",
             .help = "fail after this many seconds without progress",
             .placeholder = "SECONDS",
             .fallback = "60"}};
}

std::vector<Option> publish_options() {
    std::vector<Option> options = {
        {.name = "name", .help = "name of the software", .placeholder = "NAME", .required = true},
        {.name = "version", .help = "version of this release", .placeholder = "VERSION", .required = true}};
    for (auto& option : tree_options()) options.push_back(std::move(option));
    for (auto& option : wait_options()) options.push_back(std::move(option));
    for (auto& option : sending_options()) options.push_back(std::move(option));
    std::vector<Option> const others = {
        {.name = "strip", .help = "leave out the directory that is alone at the top of an archive"},
        {.name = "paranoid", .help = "read every file, also unchanged ones"},
        {.name = "dry-run", .help = "build the release and show it, but send nothing"},
        {.name = "against",
         .help = "with --dry-run: show what a node with this older tree, file or archive would fetch",
         .placeholder = "PATH",
         .many = true},
        json_option()};
    options.insert(options.end(), others.begin(), others.end());
    return options;
}

Result<RollbackSettings> rollback_settings(Arguments const& arguments) {
    RollbackSettings settings;
    settings.connection = connection_of(arguments);
    auto software = SoftwareName::parse(arguments.positional().front());
    if (!software) return pass(software.error());
    settings.software = std::move(*software);
    settings.version = arguments.text("to");
    auto changes = distribution_changes(arguments);
    if (!changes) return pass(changes.error());
    settings.changes = std::move(*changes);
    auto const waiting = waiting_of(arguments);
    if (!waiting) return pass(waiting.error());
    settings.waiting = *waiting;
    settings.output = output_of(arguments);
    return settings;
}

std::vector<Option> rollback_options() {
    std::vector<Option> options = {
        {.name = "to", .help = "version to return to (default: the release before)", .placeholder = "VERSION"}};
    for (auto& option : distribution_options()) options.push_back(std::move(option));
    for (auto& option : wait_options()) options.push_back(std::move(option));
    options.push_back(json_option());
    return options;
}

}  // namespace lull::publisher
