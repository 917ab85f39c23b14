#include "subscriber/cli/daemon_options.hpp"

#include "subscriber/cli/hold_commands.hpp"
#include "subscriber/disk/membership.hpp"

namespace lull::subscriber {

namespace {

constexpr Bytes least_call_memory = MiB(1);

Result<ArchitectureName> architecture_of(Arguments const& arguments) {
    if (!arguments.has("arch")) return native_architecture();
    return parse_architecture(arguments.text("arch"));
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

Result<Bytes> size_of(Arguments const& arguments, std::string const& option) {
    auto const size = parse_bytes(arguments.text(option));
    if (!size) return fail(Fault::usage, "--{}: {}", option, size.error().message);
    return *size;
}

Result<Duration> scan_interval(Arguments const& arguments) {
    auto const seconds = arguments.number("scan");
    if (seconds && *seconds >= 1 && *seconds <= 86'400) return std::chrono::seconds(*seconds);
    return fail(Fault::usage, "--scan is '{}', and has to be a whole number of seconds from 1 to 86400",
                arguments.text("scan"));
}

Result<std::set<SoftwareName>> names_of(Arguments const& arguments, std::string const& option) {
    std::set<SoftwareName> names;
    for (auto const& text : arguments.all(option)) {
        auto name = SoftwareName::parse(text);
        if (!name) return fail(Fault::usage, "--{}: {}", option, name.error().message);
        names.insert(std::move(*name));
    }
    return names;
}

Result<std::uint64_t> count_of(Arguments const& arguments, std::string const& option, std::uint64_t most) {
    auto const count = arguments.number(option);
    if (count && *count >= 1 && *count <= most) return *count;
    return fail(Fault::usage, "--{} is '{}', and has to be a whole number from 1 to {}", option, arguments.text(option),
                most);
}

// What programs of calls may take.
Status read_limits(Arguments const& arguments, DaemonSettings& settings) {
    auto& limits = settings.calls.limits;
    for (auto const& [option, target] :
         {std::pair("call-memory", &limits.memory), std::pair("call-scratch", &limits.scratch)}) {
        auto const size = size_of(arguments, option);
        if (!size) return pass(size.error());
        if (*size < least_call_memory) {
            return fail(Fault::usage, "--{} is {}, and has to be at least {}", option, to_text(*size),
                        to_text(least_call_memory));
        }
        *target = *size;
    }
    auto const processes = count_of(arguments, "call-processes", 100'000);
    if (!processes) return pass(processes.error());
    limits.processes = *processes;
    auto const output = size_of(arguments, "call-output");
    if (!output) return pass(output.error());
    settings.executor->most_output = *output;
    auto const time = count_of(arguments, "call-time", limits::call_seconds);
    if (!time) return pass(time.error());
    settings.executor->most_time = std::chrono::seconds(*time);
    return {};
}

// The options of an executor. Without --serve-calls they set nothing.
Status read_executor(Arguments const& arguments, DaemonSettings& settings) {
    if (!arguments.flag("serve-calls")) {
        if (!arguments.has("allow-calls")) return {};
        return fail(Fault::usage, "--allow-calls has no effect without --serve-calls");
    }
    auto allowed = names_of(arguments, "allow-calls");
    if (!allowed) return pass(allowed.error());
    if (allowed->size() > limits::served_software) {
        return fail(Fault::usage, "--allow-calls: at most {} pieces of software can be served",
                    limits::served_software);
    }
    auto network = names_of(arguments, "call-network");
    if (!network) return pass(network.error());
    auto const cache = size_of(arguments, "call-cache");
    if (!cache) return pass(cache.error());
    auto const slots = count_of(arguments, "call-slots", most_sandbox_slots);
    if (!slots) return pass(slots.error());
    settings.executor = ExecutorSettings{.architecture = settings.architecture, .trusted = {}};
    settings.executor->allowed = std::move(*allowed);
    settings.executor->cache = *cache;
    settings.executor->slots = *slots;
    settings.calls.network = std::move(*network);
    if (arguments.has("call-user")) settings.calls.sandbox.user = arguments.text("call-user");
    return read_limits(arguments, settings);
}

std::vector<Option> executor_options() {
    return {
        {.name = "serve-calls", .help = "run programs of releases for other nodes, in a sandbox (executor)"},
        {.name = "allow-calls",
         .help = "software whose callable programs this executor may run",
         .placeholder = "NAME",
         .many = true},
        {.name = "call-cache", .help = "disk space for versions of calls", .placeholder = "SIZE", .fallback = "2 GiB"},
        {.name = "call-slots", .help = "calls at once", .placeholder = "N", .fallback = "4"},
        {.name = "call-network",
         .help = "software whose calls reach the network of this machine",
         .placeholder = "NAME",
         .many = true},
        {.name = "call-user",
         .help = "user for programs of calls if the daemon runs as root (default: one without a name for each slot)",
         .placeholder = "USER"},
        {.name = "call-memory",
         .help = "memory of each process of a call, and of the whole call where there is a cgroup",
         .placeholder = "SIZE",
         .fallback = "512 MiB"},
        {.name = "call-scratch", .help = "size of /tmp of a call", .placeholder = "SIZE", .fallback = "256 MiB"},
        {.name = "call-processes", .help = "processes of a call", .placeholder = "N", .fallback = "64"},
        {.name = "call-time", .help = "longest run of a call", .placeholder = "SECONDS", .fallback = "3600"},
        {.name = "call-output", .help = "most output of a call", .placeholder = "SIZE", .fallback = "16 GiB"}};
}

std::vector<Option> install_options() {
    return {
        root_option(),
        {.name = "arch",
         .help = "architecture of the builds to install (default: this machine's)",
         .placeholder = "ARCH"},
        {.name = "reserve", .help = "disk space that stays free", .placeholder = "SIZE", .fallback = "16 MiB"},
        {.name = "memory",
         .help = "memory for a delta; for deltas that need more the node fetches whole segments",
         .placeholder = "SIZE",
         .fallback = "64 MiB"},
        {.name = "scan",
         .help = "interval between scans of the installed releases; every byte is read once a day",
         .placeholder = "SECONDS",
         .fallback = "600"},
        {.name = "strict-tree",
         .help = "delete what is no part of a release from its installed tree, also while a process has it open; "
                 "without this option scans move it to NAME/lost+found"},
        {.name = "policy",
         .help = "policy while the running version is in use: wait, restart or now; it has priority over the policy of "
                 "releases",
         .placeholder = "WORD"},
        {.name = "activate-at",
         .help = "times of day at which this node may switch, like '22:00-05:00 Europe/Berlin'",
         .placeholder = "TIMES"},
        {.name = "notice-text",
         .help = "file with the text of notices to users, with {software}, "
                 "{ready}, {running}, {command}, {pid}, {user}, {since}",
         .placeholder = "FILE"},
        {.name = "notice-program",
         .help = "program that notifies users; arguments: SOFTWARE READY RUNNING PID UID COMMAND",
         .placeholder = "PATH"},
        {.name = "notice-syslog", .help = "write notices to the system log too"},
        {.name = "allow-hooks",
         .help = "run the hooks of this software's releases",
         .placeholder = "NAME",
         .many = true},
        {.name = "allow-all-hooks", .help = "run the hooks of every release"},
        {.name = "check-user",
         .help = "user for hooks and health checks if the daemon runs as root",
         .placeholder = "USER",
         .fallback = "nobody"},
        {.name = "call-group",
         .help = "group whose members may use 'lull-node call' besides root",
         .placeholder = "GROUP"},
        {.name = "check",
         .help = "look whether this program can serve this node: read settings and journal, reach the broker, and end"},
        {.name = "log-level", .help = "debug, info, warn or error", .placeholder = "LEVEL", .fallback = "info"},
        {.name = "config", .help = "file with these options", .placeholder = "FILE"}};
}

}  // namespace

std::vector<Option> daemon_options() {
    auto options = install_options();
    for (auto& option : executor_options()) options.push_back(std::move(option));
    return options;
}

Result<DaemonSettings> daemon_settings(Arguments const& arguments, Layout const& layout) {
    auto const architecture = architecture_of(arguments);
    if (!architecture) return pass(architecture.error());
    auto const reserve = size_of(arguments, "reserve");
    if (!reserve) return pass(reserve.error());
    auto const memory = size_of(arguments, "memory");
    if (!memory) return pass(memory.error());
    auto const scan = scan_interval(arguments);
    if (!scan) return pass(scan.error());
    auto rules = node_rules(arguments);
    if (!rules) return pass(rules.error());
    auto notices = notice_settings(arguments);
    if (!notices) return pass(notices.error());
    DaemonSettings settings{.layout = layout,
                            .bundle = {},
                            .architecture = *architecture,
                            .reserve = *reserve,
                            .scan = *scan,
                            .memory = *memory,
                            .rules = std::move(*rules),
                            .notices = std::move(*notices),
                            .check_user = arguments.text("check-user")};
    if (arguments.flag("strict-tree")) settings.strays = Strays::remove;
    if (arguments.has("call-group")) settings.call_group = arguments.text("call-group");
    if (auto read = read_executor(arguments, settings); !read) return pass(read.error());
    return settings;
}

}  // namespace lull::subscriber
