#include "subscriber/commands.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "core/command_line.hpp"
#include "subscriber/daemon.hpp"
#include "subscriber/hold_commands.hpp"
#include "subscriber/launcher.hpp"
#include "subscriber/manifest_files.hpp"
#include "subscriber/membership.hpp"
#include "subscriber/status_view.hpp"
#include "subscriber/supervisor.hpp"
#include "subscriber/tree_check.hpp"

namespace lull::subscriber {

namespace {

// ---- join ----

Status join(Arguments const& arguments) {
    auto const bundle = JoinBundle::load(arguments.positional().front());
    if (!bundle) return pass(bundle.error());
    Layout const layout(arguments.text("root"));
    if (auto prepared = layout.prepare(); !prepared) return prepared;
    auto const before = JoinBundle::load(layout.join_bundle());
    if (before && *before != *bundle && !arguments.flag("force")) {
        return fail(Fault::refused, "{} belongs to node '{}' of {} already; to join it anew give --force", layout.root().string(),
                    before->node.text(), before->broker.to_text());
    }
    if (auto saved = bundle->save(layout.join_bundle()); !saved) return saved;
    fmt::print("joined {} as node '{}'\nnext:\n  lull-node daemon --root {}\n", bundle->broker.to_text(), bundle->node.text(),
               layout.root().string());
    return {};
}

Command join_command() {
    return {.name = "join",
            .summary = "make this machine a node of a broker, with the bundle that the operator wrote for it",
            .positional = {"BUNDLE"},
            .options = {root_option(), {.name = "force", .help = "join even if this root belongs to another node"}},
            .example = "lull-node join till-17.join",
            .run = join};
}

// ---- daemon ----

void raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

Result<ArchitectureName> architecture_of(Arguments const& arguments) {
    if (!arguments.has("arch")) return native_architecture();
    return ArchitectureName::parse(arguments.text("arch"));
}

Result<NodeRules> node_rules(Arguments const& arguments) {
    NodeRules rules;
    if (arguments.has("policy")) {
        auto const policy = parse_policy(arguments.text("policy"));
        if (!policy) return fail(Fault::usage, "--policy: {}", policy.error().message);
        rules.policy = *policy;
    }
    for (auto const& name : arguments.all("allow-hooks")) {
        auto software = SoftwareName::parse(name);
        if (!software) return fail(Fault::usage, "--allow-hooks: {}", software.error().message);
        rules.hooks.software.insert(std::move(*software));
    }
    rules.hooks.all = arguments.flag("allow-all-hooks");
    if (arguments.has("activate-at")) {
        auto windows = Schedule::parse_times(arguments.text("activate-at"));
        if (!windows) return fail(Fault::usage, "--activate-at: {}", windows.error().message);
        rules.windows = std::move(*windows);
    }
    return rules;
}

Result<NoticeSettings> notice_settings(Arguments const& arguments) {
    NoticeSettings settings;
    settings.system_log = arguments.flag("notice-syslog");
    if (arguments.has("notice-text")) {
        auto text = NoticeText::load(arguments.text("notice-text"));
        if (!text) return fail(text.error().fault, "--notice-text: {}", text.error().message);
        settings.text = std::move(*text);
    }
    if (arguments.has("notice-program")) {
        settings.program = arguments.text("notice-program");
        if (auto const checked = check_own_program(settings.program); !checked) {
            return fail(checked.error().fault, "--notice-program: {}", checked.error().message);
        }
    }
    return settings;
}

Status daemon(Arguments const& arguments) {
    auto const level = parse_log_level(arguments.text("log-level"));
    if (!level) return pass(level.error());
    auto const architecture = architecture_of(arguments);
    if (!architecture) return pass(architecture.error());
    auto const reserve = parse_bytes(arguments.text("reserve"));
    if (!reserve) return pass(reserve.error());
    auto const memory = parse_bytes(arguments.text("memory"));
    if (!memory) return fail(Fault::usage, "--memory: {}", memory.error().message);
    auto const scan = arguments.number("scan");
    if (!scan || *scan < 1 || *scan > 86'400) {
        return fail(Fault::usage, "--scan is '{}', and has to be a whole number of seconds from 1 to 86400", arguments.text("scan"));
    }
    auto rules = node_rules(arguments);
    if (!rules) return pass(rules.error());
    auto notices = notice_settings(arguments);
    if (!notices) return pass(notices.error());
    Layout const layout(arguments.text("root"));
    auto bundle = own_bundle(layout);
    if (!bundle) return pass(bundle.error());

    raise_descriptor_limit();
    Log log("lull-node", *level);
    EventLoop loop;
    loop.on_signal({SIGINT, SIGTERM}, [&](int signal) {
        log.info("stopping on {}", signal == SIGINT ? "SIGINT" : "SIGTERM");
        loop.stop();
    });
    auto const opened = Daemon::open({layout, std::move(*bundle), *architecture, *reserve, std::chrono::seconds(*scan), *memory, std::move(*rules), std::move(*notices),
                                      arguments.text("check-user")},
                                     loop, log);
    if (!opened) return pass(opened.error());
    return (*opened)->run();
}

Command daemon_command() {
    return {.name = "daemon",
            .summary = "keep this node's software at the newest release until SIGTERM",
            .positional = {},
            .options = {root_option(),
                        {.name = "arch", .help = "take builds for this architecture; usually this machine's", .placeholder = "ARCH"},
                        {.name = "reserve", .help = "disk space that is never used", .placeholder = "SIZE", .fallback = "16 MiB"},
                        {.name = "memory", .help = "what this process may take to apply a delta; whole segments are fetched where it is not enough",
                         .placeholder = "SIZE", .fallback = "64 MiB"},
                        {.name = "scan", .help = "how often what is installed is looked at; every byte is read once a day",
                         .placeholder = "SECONDS", .fallback = "600"},
                        {.name = "policy", .help = "what happens to who uses a release that is replaced: wait, restart or now; instead of what "
                                                   "the releases say",
                         .placeholder = "WORD"},
                        {.name = "activate-at", .help = "times of day at which something may be switched to, like '22:00-05:00 Europe/Berlin'",
                         .placeholder = "TIMES"},
                        {.name = "notice-text", .help = "file with the words in which users are told that a release waits for them, with {software}, "
                                                        "{ready}, {running}, {command}, {pid}, {user}, {since}",
                         .placeholder = "FILE"},
                        {.name = "notice-program", .help = "program that tells them in its own way: SOFTWARE READY RUNNING PID UID COMMAND",
                         .placeholder = "PATH"},
                        {.name = "notice-syslog", .help = "tell the system's log as well"},
                        {.name = "allow-hooks", .help = "run the hooks of this software's releases", .placeholder = "NAME", .many = true},
                        {.name = "allow-all-hooks", .help = "run the hooks of every release"},
                        {.name = "check-user", .help = "as whom hooks and health checks of releases run if this is started as root", .placeholder = "USER",
                         .fallback = "nobody"},
                        {.name = "log-level", .help = "debug, info, warn or error", .placeholder = "LEVEL", .fallback = "info"},
                        {.name = "config", .help = "file with these options", .placeholder = "FILE"}},
            .example = "lull-node daemon --root /var/lib/lull",
            .run = daemon};
}

// ---- status ----

Status status(Arguments const& arguments) {
    auto const view = read_status(Layout(arguments.text("root")));
    if (!view) return pass(view.error());
    fmt::print("{}", arguments.flag("json") ? to_json(*view) : to_table(*view, SystemClock().wall()));
    return {};
}

Command status_command() {
    return {.name = "status",
            .summary = "what is installed here, what is on its way, and what it waits for",
            .positional = {},
            .options = {root_option(), {.name = "json", .help = "for programs"}},
            .example = "lull-node status",
            .run = status};
}

// ---- run ----

Status run(Arguments const& arguments) {
    auto const software = SoftwareName::parse(arguments.positional().front());
    if (!software) return pass(software.error());
    LaunchRequest request{*software, std::nullopt, arguments.rest()};
    if (arguments.has("program")) request.program = arguments.text("program");
    Layout const layout(arguments.text("root"));
    return pass(arguments.flag("supervise") ? supervise(layout, request) : launch(layout, request));
}

Command run_command() {
    return {.name = "run",
            .summary = "start a piece of software; it is not replaced while it runs",
            .positional = {"NAME"},
            .options = {root_option(),
                        {.name = "program", .help = "another program of the release than the one that it names", .placeholder = "PATH"},
                        {.name = "supervise",
                         .help = "stay, and start it again when it was ended for an update; a crash ends this too, for systemd (Restart=) to see"}},
            .example = "lull-node run kiosk-browser -- --fullscreen",
            .run = run};
}

// ---- verify ----

Result<std::size_t> verify_software(Layout const& layout, SoftwareName const& software, TrustedKeys const& trusted) {
    auto const current = layout.current(software);
    if (!current) return pass(current.error());
    if (!*current) {
        fmt::print("{}: nothing is installed\n", software.text());
        return 0;
    }
    auto const manifest = load_manifest(layout, **current, trusted);
    if (!manifest) return pass(manifest.error());
    auto const differences = verify_tree(layout, **current, *manifest);
    if (!differences) return pass(differences.error());
    for (auto const& difference : *differences) fmt::print("{}: {}\n", software.text(), to_text(difference));
    if (differences->empty()) {
        fmt::print("{} {}: {} files, {}, all as signed\n", software.text(), (*current)->version.text(), manifest->file_count(),
                   to_text(manifest->content_size()));
    }
    return differences->size();
}

Status verify(Arguments const& arguments) {
    Layout const layout(arguments.text("root"));
    auto const bundle = own_bundle(layout);
    if (!bundle) return pass(bundle.error());
    std::vector<SoftwareName> wanted;
    for (auto const& word : arguments.positional()) {
        auto name = SoftwareName::parse(word);
        if (!name) return pass(name.error());
        wanted.push_back(std::move(*name));
    }
    if (wanted.empty()) {
        auto known = layout.known_software();
        if (!known) return pass(known.error());
        wanted = std::move(*known);
    }
    std::size_t differences = 0;
    for (auto const& software : wanted) {
        auto const found = verify_software(layout, software, TrustedKeys(bundle->trusted));
        if (!found) return pass(found.error());
        differences += *found;
    }
    if (differences == 0) return {};
    return fail(Fault::damaged, "{} paths differ from what was signed", differences);
}

Command verify_command() {
    return {.name = "verify",
            .summary = "compare what is installed, byte for byte, with what was signed",
            .positional = {"[NAME...]"},
            .options = {root_option()},
            .example = "lull-node verify kiosk-browser",
            .run = verify};
}

}  // namespace

int run_program(int argc, char const* const* argv) {
    CommandLine program("lull-node", "keeps the software of this machine at the newest release",
                        {join_command(), daemon_command(), status_command(), run_command(), hold_command(), unhold_command(), verify_command()});
    return program.run(argc, argv);
}

}  // namespace lull::subscriber
