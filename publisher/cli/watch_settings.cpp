#include "publisher/cli/watch_settings.hpp"

#include "core/duration.hpp"
#include "publisher/cli/publish_settings.hpp"

namespace lull::publisher {

namespace {

constexpr Duration longest_time = std::chrono::hours(24);

Result<Duration> time_of(Arguments const& arguments, std::string const& option) {
    auto const time = parse_duration(arguments.text(option));
    if (!time) return fail(Fault::usage, "--{}: {}", option, time.error().message);
    if (*time >= std::chrono::seconds(1) && *time <= longest_time) return *time;
    return fail(Fault::usage, "--{} is {}; it has to be 1 s to 24 h", option, to_text(*time));
}

Result<WatchSettings::Mode> mode_of(Arguments const& arguments) {
    bool const dry_run = arguments.flag("dry-run");
    bool const status = arguments.flag("status");
    if (dry_run && status) return fail(Fault::usage, "--dry-run and --status exclude each other");
    if (arguments.flag("json") && !dry_run && !status)
        return fail(Fault::usage, "--json is for --dry-run and --status only");
    return dry_run ? WatchSettings::Mode::dry_run : status ? WatchSettings::Mode::status : WatchSettings::Mode::run;
}

Status take_times(WatchSettings& settings, Arguments const& arguments) {
    auto const scan = time_of(arguments, "scan");
    if (!scan) return pass(scan.error());
    settings.times.scan = *scan;
    auto const settle = time_of(arguments, "settle");
    if (!settle) return pass(settle.error());
    settings.times.settle = *settle;
    auto const patience = timeout_of(arguments);
    if (!patience) return pass(patience.error());
    settings.patience = *patience;
    return {};
}

}  // namespace

Result<WatchSettings> watch_settings(Arguments const& arguments) {
    WatchSettings settings;
    settings.connection = connection_of(arguments);
    settings.directory = arguments.positional().front();
    if (arguments.has("name")) {
        auto software = SoftwareName::parse(arguments.text("name"));
        if (!software) return pass(software.error());
        settings.only = std::move(*software);
    }
    if (auto taken = take_times(settings, arguments); !taken) return pass(std::move(taken.error()));
    if (arguments.flag("no-inotify")) settings.kernel = watch::KernelEvents::unused;
    settings.state = arguments.text("state");
    settings.cache = arguments.text("cache");
    auto const mode = mode_of(arguments);
    if (!mode) return pass(mode.error());
    settings.mode = *mode;
    auto const least = parse_log_level(arguments.text("log-level"));
    if (!least) return pass(least.error());
    settings.least = *least;
    settings.output = output_of(arguments);
    return settings;
}

std::vector<Option> watch_options() {
    std::vector<Option> options = {
        {.name = "name",
         .help = "DIR itself is this software (default: each subdirectory is one, by its name)",
         .placeholder = "NAME"},
        {.name = "settle",
         .help = "release a tree that has not changed for this time",
         .placeholder = "TIME",
         .fallback = "5s"},
        {.name = "scan",
         .help = "look at every tree at this interval, whatever the kernel reports",
         .placeholder = "TIME",
         .fallback = "60s"},
        {.name = "no-inotify", .help = "do not ask the kernel for changes: only the scan finds them"},
        {.name = "state",
         .help = "directory in which the watcher remembers what it released",
         .placeholder = "DIR",
         .fallback = default_state_directory()},
        {.name = "dry-run", .help = "show version, options and what would be done for each software, and end"},
        {.name = "status", .help = "show what the watcher of DIR last saw, released and waits for"},
        {.name = "log-level",
         .help = "least important lines to log: debug, info, warn or error",
         .placeholder = "LEVEL",
         .fallback = "info"},
        json_option()};
    for (auto& option : sending_options()) options.push_back(std::move(option));
    return options;
}

}  // namespace lull::publisher
