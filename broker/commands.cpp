#include "broker/commands.hpp"

#include <sys/resource.h>

#include <csignal>

#include "broker/backup.hpp"
#include "broker/daemon.hpp"
#include "broker/init.hpp"
#include "core/command_line.hpp"

namespace lull::broker {

namespace {

Option data_option() {
    return {.name = "data", .help = "the broker's directory", .placeholder = "DIR", .required = true};
}

// ---- init ----

Result<std::vector<PublicIdentity>> load_operators(std::vector<std::string> const& paths) {
    std::vector<PublicIdentity> operators;
    for (auto const& path : paths) {
        auto identity = PublicIdentity::load(path);
        if (!identity) return pass(std::move(identity.error()));
        operators.push_back(std::move(*identity));
    }
    return operators;
}

void print_outcome(InitOutcome const& outcome, DataDirectory const& directory) {
    auto const root = directory.root().string();
    if (outcome.before) fmt::print("the broker in {} was initialised before; its keys and releases are as they were\n", root);
    for (auto const& name : outcome.added) fmt::print("enrolled operator '{}'\n", name);
    if (outcome.before && outcome.added.empty()) fmt::print("these operators are enrolled already\n");
    fmt::print("broker address (also in {}):\n  {}\n\nnext:\n", directory.address().string(), outcome.address.to_text());
    fmt::print("  lull-broker run --data {}\n", root);
    fmt::print("  lull nodes new NAME --broker {}\n", outcome.address.to_text());
}

Status init(Arguments const& arguments) {
    auto operators = load_operators(arguments.all("operator"));
    if (!operators) return pass(operators.error());
    InitRequest const request{DataDirectory(arguments.text("data")), std::move(*operators), arguments.text("listen"),
                              arguments.text("advertise")};
    auto const outcome = initialise(request, SystemClock().wall());
    if (!outcome) return pass(outcome.error());
    print_outcome(*outcome, request.directory);
    return {};
}

Command init_command() {
    return {.name = "init",
            .summary = "make a broker: keys, database, operators",
            .positional = {},
            .options = {data_option(),
                        {.name = "operator", .help = "public.key of somebody who may administer and publish ('lull keygen' makes it)",
                         .placeholder = "PUBLIC.KEY", .required = true, .many = true},
                        {.name = "listen", .help = "address and first of three ports to listen on; usually 127.0.0.1:7700",
                         .placeholder = "HOST:PORT"},
                        {.name = "advertise", .help = "name or address by which nodes reach this machine; usually that of --listen",
                         .placeholder = "HOST"}},
            .example = "lull-broker init --data /var/lib/lull-broker --operator ~/.lull/keys/public.key --listen 0.0.0.0:7700 "
                       "--advertise broker.example",
            .run = init};
}

// ---- run ----

Result<std::uint64_t> number_between(Arguments const& arguments, std::string const& name, std::uint64_t least, std::uint64_t most) {
    auto const number = arguments.number(name);
    if (number && *number >= least && *number <= most) return number;
    return fail(Fault::usage, "--{} is '{}', and has to be a whole number from {} to {}", name, arguments.text(name), least, most);
}

// "10.3.0.0/16", or with what its line carries at most: "10.3.0.0/16=20Mbit".
struct SiteOption {
    Network network;
    std::optional<ByteRate> cap;
};

Result<SiteOption> parse_site(std::string const& text) {
    auto const equals = text.find('=');
    auto const network = Network::parse(std::string_view(text).substr(0, equals));
    if (!network) return fail(Fault::usage, "--site: {}", network.error().message);
    if (equals == std::string::npos) return SiteOption{*network, std::nullopt};
    auto const cap = parse_bit_rate(std::string_view(text).substr(equals + 1));
    if (!cap) return fail(Fault::usage, "--site {}: {}", text, cap.error().message);
    return SiteOption{*network, *cap};
}

Result<std::vector<SiteOption>> sites_of(Arguments const& arguments) {
    std::vector<SiteOption> sites;
    for (auto const& text : arguments.all("site")) {
        auto const site = parse_site(text);
        if (!site) return pass(site.error());
        sites.push_back(*site);
    }
    return sites;
}

// Whoever gives one of these expects that it has an effect.
Status check_governor_is_on(Arguments const& arguments) {
    for (auto const* option : {"line", "site", "window", "foreign"}) {
        if (arguments.all(option).empty()) continue;
        return fail(Fault::usage, "--{} has no effect with --governor off; leave one of them out", option);
    }
    if (arguments.flag("only-quiet")) return fail(Fault::usage, "--only-quiet has no effect with --governor off; leave one of them out");
    return {};
}

Result<GovernorSettings> governor_of(Arguments const& arguments, std::vector<SiteOption> const& sites) {
    GovernorSettings governor;
    auto const word = arguments.text("governor");
    if (word != "on" && word != "off") return fail(Fault::usage, "--governor is '{}', and has to be on or off", word);
    governor.on = word == "on";
    if (!governor.on) {
        if (auto status = check_governor_is_on(arguments); !status) return pass(status.error());
    }
    if (auto const line = arguments.text("line"); !line.empty()) {
        auto const rate = parse_bit_rate(line);
        if (!rate) return fail(Fault::usage, "--line: {}", rate.error().message);
        governor.line.configured = *rate;
    }
    if (auto const window = arguments.text("window"); !window.empty()) {
        auto schedule = Schedule::parse(window);
        if (!schedule) return fail(Fault::usage, "--window: {}", schedule.error().message);
        governor.schedule = std::move(*schedule);
    }
    if (arguments.flag("only-quiet")) governor.line.progress = governor.path.progress = 0;
    for (auto const& site : sites) {
        if (site.cap) governor.caps.emplace(site.network.text(), *site.cap);
    }
    return governor;
}

Result<BrokerSettings> settings_of(Arguments const& arguments, std::vector<SiteOption> const& sites) {
    BrokerSettings settings;
    auto const beacon = number_between(arguments, "beacon", 1, 3600);
    if (!beacon) return pass(beacon.error());
    auto const transfers = number_between(arguments, "transfers", 1, 100'000);
    if (!transfers) return pass(transfers.error());
    auto const cap = parse_bytes(arguments.text("cap"));
    if (!cap) return fail(Fault::usage, "--cap: {}", cap.error().message);
    if (*cap < settings.sender.window) {
        return fail(Fault::usage, "--cap is {}, and has to be at least {}", to_text(*cap), to_text(settings.sender.window));
    }
    auto const keep = number_between(arguments, "keep", 1, 1'000'000);
    if (!keep) return pass(keep.error());
    auto const patch_space = parse_bytes(arguments.text("patch-space"));
    if (!patch_space) return fail(Fault::usage, "--patch-space: {}", patch_space.error().message);
    auto const patch_wait = number_between(arguments, "patch-wait", 0, 3600);
    if (!patch_wait) return pass(patch_wait.error());
    auto const scrub = number_between(arguments, "scrub", 0, 3650);
    if (!scrub) return pass(scrub.error());
    auto governor = governor_of(arguments, sites);
    if (!governor) return pass(governor.error());
    governor->line.transfers = *transfers;
    settings.governor = std::move(*governor);
    settings.keep = *keep;
    settings.scrub = std::chrono::hours(24 * *scrub);
    settings.patch_space = *patch_space;
    settings.patch_wait = std::chrono::seconds(*patch_wait);
    settings.beacon = std::chrono::seconds(*beacon);
    settings.sender.transfers = *transfers;
    settings.sender.cap = *cap;
    return settings;
}

// Each connection takes a descriptor, and at the limit ZeroMQ spins instead of accepting.
void raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

Status run(Arguments const& arguments) {
    DataDirectory const directory(arguments.text("data"));
    auto const level = parse_log_level(arguments.text("log-level"));
    if (!level) return pass(level.error());
    auto const sites = sites_of(arguments);
    if (!sites) return pass(sites.error());
    auto const settings = settings_of(arguments, *sites);
    if (!settings) return pass(settings.error());
    if (auto listen = parse_listen(arguments.text("listen"), PeerKey()); !listen) return pass(listen.error());
    auto const keys = directory.load_keys();
    if (!keys) return pass(keys.error());
    auto const listen = parse_listen(arguments.text("listen"), PeerKey(keys->public_key));
    auto const address = advertised(*listen, arguments.text("advertise"));
    if (!address) return pass(address.error());

    raise_descriptor_limit();
    Log log("lull-broker", *level);
    EventLoop loop;
    loop.on_signal({SIGINT, SIGTERM}, [&](int signal) {
        log.info("stopping on {}", signal == SIGINT ? "SIGINT" : "SIGTERM");
        loop.stop();
    });
    std::vector<Network> networks;
    for (auto const& site : *sites) networks.push_back(site.network);
    auto const daemon = Daemon::open({directory, *listen, *settings, std::move(networks), arguments.text("foreign")}, loop, log);
    if (!daemon) return pass(daemon.error());
    if (auto status = directory.save_address(*address); !status) return status;
    return (*daemon)->run();
}

Command run_command(std::optional<std::string> config) {
    return {.name = "run",
            .summary = "serve publishers and nodes until SIGTERM",
            .positional = {},
            .options = {data_option(),
                        {.name = "listen", .help = "address and first of three ports to listen on", .placeholder = "HOST:PORT",
                         .fallback = usual_listen},
                        {.name = "advertise", .help = "name or address by which nodes reach this machine; usually that of --listen",
                         .placeholder = "HOST"},
                        {.name = "beacon", .help = "how often the head of the log is announced", .placeholder = "SECONDS",
                         .fallback = "15"},
                        {.name = "transfers", .help = "nodes that are served at once; the others queue", .placeholder = "N",
                         .fallback = "64"},
                        {.name = "patch-space", .help = "disk for what leads from one release to another; 0: none",
                         .placeholder = "SIZE", .fallback = "4 GiB"},
                        {.name = "patch-wait", .help = "how long a node waits for fewer bytes when a patch that was made quickly is there",
                         .placeholder = "SECONDS", .fallback = "30"},
                        {.name = "scrub", .help = "within how many days each stored object is read and checked, when nobody wants "
                                                   "anything; 0: never",
                         .placeholder = "DAYS", .fallback = "30"},
                        {.name = "cap", .help = "bytes on their way to nodes, all together", .placeholder = "SIZE",
                         .fallback = "64 MiB"},
                        {.name = "governor", .help = "on: bytes flow while nobody else needs the lines; off: as fast as they can",
                         .placeholder = "on|off", .fallback = "on"},
                        {.name = "line", .help = "what this machine's line carries, if its interface does not tell, like 100Mbit",
                         .placeholder = "RATE"},
                        {.name = "site", .help = "network whose nodes share one line, like 10.3.0.0/16, perhaps with the most that they "
                                                  "get together, like 10.3.0.0/16=20Mbit; else each address is a site",
                         .placeholder = "NETWORK[=RATE]", .many = true},
                        {.name = "window", .help = "share of this machine's line by the time of day, like: 22:00-05:00 Europe/Berlin "
                                                    "100%, else 10%",
                         .placeholder = "TIMES"},
                        {.name = "foreign", .help = "file or http:// address of the bits a second that others send on this machine's line, measured "
                                                     "elsewhere (at a router); read every second",
                         .placeholder = "FILE|URL"},
                        {.name = "only-quiet", .help = "nothing at all flows while others use a line; usually 0.5 % of it does"},
                        {.name = "keep", .help = "newest releases of each software that stay; older ones go when no node has them",
                         .placeholder = "N", .fallback = "10"},
                        {.name = "log-level", .help = "debug, info, warn or error", .placeholder = "LEVEL", .fallback = "info"},
                        {.name = "config", .help = "file with these options; broker.conf in DIR if there is one",
                         .placeholder = "FILE", .fallback = std::move(config)}},
            .example = "lull-broker run --data /var/lib/lull-broker",
            .run = run};
}

// ---- backup ----

Status backup(Arguments const& arguments) {
    DataDirectory const directory(arguments.text("data"));
    fs::path const to = arguments.positional().front();
    auto const outcome = back_up(directory, to);
    if (!outcome) return pass(outcome.error());
    fmt::print("backed up {} releases (log up to {}) and {} objects, {}, to {}\n", outcome->releases, outcome->head.value,
               outcome->objects, to_text(outcome->bytes), to.string());
    fmt::print("it holds the broker's secret key: keep it as safe as the original\n");
    fmt::print("to restore it: stop the broker, move {} away, copy the backup to its place, and start the broker\n",
               directory.root().string());
    return {};
}

Command backup_command() {
    return {.name = "backup",
            .summary = "copy a broker with all its releases, while it runs",
            .positional = {"TO"},
            .options = {data_option()},
            .example = "lull-broker backup --data /var/lib/lull-broker /mnt/backup/broker-monday",
            .run = backup};
}

// The broker's own config file lies in its directory, which is an option itself.
std::optional<std::string> usual_config(int argc, char const* const* argv) {
    std::string_view const name = "--data";
    for (int i = 1; i < argc; ++i) {
        std::string_view const word = argv[i];
        if (word == name && i + 1 < argc) return DataDirectory(argv[i + 1]).config().string();
        if (word.starts_with("--data=")) return DataDirectory(word.substr(name.size() + 1)).config().string();
    }
    return std::nullopt;
}

}  // namespace

int run_program(int argc, char const* const* argv) {
    CommandLine program("lull-broker", "announces releases to nodes and hands them out",
                        {init_command(), run_command(usual_config(argc, argv)), backup_command()});
    return program.run(argc, argv);
}

}  // namespace lull::broker
