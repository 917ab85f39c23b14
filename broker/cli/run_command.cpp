#include "broker/cli/run_command.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "broker/cli/init_command.hpp"
#include "broker/local_executor/executor_identity.hpp"
#include "broker/local_executor/executor_process.hpp"

namespace lull::broker {

namespace {

// Each connection takes a descriptor, and at the limit ZeroMQ spins instead of accepting.
void raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

// Ends the process with all its threads. A worker may be in the middle of sorting the suffixes of a large program,
// which takes seconds and cannot be stopped (libdivsufsort).
[[noreturn]] void end_process() {
    (void)std::fflush(nullptr);
    _exit(0);
}

// What to start for --calls; nothing without it.
Result<std::optional<ExecutorCommand>> executor_command(RunSettings const& settings, Log& log) {
    if (settings.allowed.empty()) return std::optional<ExecutorCommand>();
    auto const program = find_lull_node();
    if (!program) return pass(program.error());
    auto const executor = prepare_local_executor(settings.daemon.directory, settings.daemon.listen,
                                                 SystemClock().wall());
    if (!executor) return pass(executor.error());
    if (executor->enrolled) log.info("enrolled node '{}', which runs remote calls", executor->bundle.node.text());
    return std::optional(ExecutorCommand{*program, executor->bundle_file, executor->root, settings.allowed});
}

Status run(Arguments const& arguments) {
    auto settings = run_settings(arguments);
    if (!settings) return pass(settings.error());
    auto const& directory = settings->daemon.directory;
    auto const keys = directory.load_keys();
    if (!keys) return pass(keys.error());
    settings->daemon.listen.key = settings->advertised.key = PeerKey(keys->public_key);

    raise_descriptor_limit();
    Log log("lull-broker", settings->log_level);
    EventLoop loop;
    loop.on_signal({SIGINT, SIGTERM}, [&](int signal) {
        log.info("stopping on {}", signal == SIGINT ? "SIGINT" : "SIGTERM");
        loop.stop();
    });
    auto const command = executor_command(*settings, log);
    if (!command) return pass(command.error());
    auto const daemon = Daemon::open(settings->daemon, loop, log);
    if (!daemon) return pass(daemon.error());
    if (auto status = directory.save_address(settings->advertised); !status) return status;
    std::optional<ExecutorProcess> executor;
    if (*command) executor.emplace(loop, log, **command).start();
    if (auto status = (*daemon)->run(); !status) return status;
    executor.reset();  // its end is awaited
    end_process();
}

}  // namespace

Command run_command(std::optional<std::string> config) {
    return {
        .name = "run",
        .summary = "serve publishers and nodes until SIGTERM",
        .positional = {},
        .options =
            {data_option(),
             {.name = "listen",
              .help = "address, and first of three consecutive ports, to listen on",
              .placeholder = "HOST:PORT",
              .fallback = usual_listen},
             {.name = "advertise",
              .help = "name or address by which nodes reach this machine (default: that of --listen)",
              .placeholder = "HOST"},
             {.name = "beacon",
              .help = "interval between announcements of the newest entry of the log",
              .placeholder = "SECONDS",
              .fallback = "15"},
             {.name = "transfers",
              .help = "nodes that fetch at the same time; further ones are queued",
              .placeholder = "N",
              .fallback = "64"},
             {.name = "patch-space",
              .help = "disk space for patches between releases; 0: no patches",
              .placeholder = "SIZE",
              .fallback = "4 GiB"},
             {.name = "patch-wait",
              .help = "how long a node waits for the smallest patch when the quick one is ready",
              .placeholder = "SECONDS",
              .fallback = "30"},
             {.name = "scrub",
              .help = "days within which the idle broker reads and checks each stored object; 0: never",
              .placeholder = "DAYS",
              .fallback = "30"},
             {.name = "cap",
              .help = "bytes in transit to all nodes together",
              .placeholder = "SIZE",
              .fallback = "64 MiB"},
             {.name = "governor",
              .help = "on: bulk data gives way to cross traffic; off: as fast as connections accept data",
              .placeholder = "on|off",
              .fallback = "on"},
             {.name = "line",
              .help = "capacity of this machine's line, like 100Mbit, if its interface does not report it",
              .placeholder = "RATE"},
             {.name = "site",
              .help = "network whose nodes share one line, like 10.3.0.0/16, or with a limit, 10.3.0.0/16=20Mbit; "
                      "without it "
                      "each address is a site",
              .placeholder = "NETWORK[=RATE]",
              .many = true},
             {.name = "window",
              .help = "share of this machine's line by time of day, like: 22:00-05:00 Europe/Berlin 100%, else 10%",
              .placeholder = "TIMES"},
             {.name = "cross-traffic",
              .help = "file or http:// address with the cross traffic on this machine's line in bits a second, "
                      "measured at a "
                      "router; read every second",
              .placeholder = "FILE|URL"},
             {.name = "only-quiet",
              .help = "send nothing while there is cross traffic on a line (default: 0.5 % of the line)"},
             {.name = "keep",
              .help = "newest releases of each software to keep; older ones are removed when no node has them",
              .placeholder = "N",
              .fallback = "10"},
             {.name = "calls",
              .help = "run an executor for remote calls as a child of the broker, with its user (needs lull-node)"},
             {.name = "allow-calls",
              .help = "with --calls: software whose callable programs the executor may run",
              .placeholder = "NAME",
              .many = true},
             {.name = "call-rate",
              .help = "bandwidth for the input and output of all remote calls together; the governor does not limit it",
              .placeholder = "RATE",
              .fallback = "400Mbit"},
             {.name = "call-time",
              .help = "longest time that a program runs in a remote call",
              .placeholder = "TIME",
              .fallback = "10min"},
             {.name = "calls-per-node",
              .help = "remote calls of a node at the same time",
              .placeholder = "N",
              .fallback = "4"},
             {.name = "calls-per-minute",
              .help = "remote calls of a node in a minute",
              .placeholder = "N",
              .fallback = "60"},
             {.name = "log-level", .help = "debug, info, warn or error", .placeholder = "LEVEL", .fallback = "info"},
             {.name = "config",
              .help = "file with these options (default: broker.conf in DIR, if it exists)",
              .placeholder = "FILE",
              .fallback = std::move(config)}},
        .example = "lull-broker run --data /var/lib/lull-broker",
        .run = run};
}

}  // namespace lull::broker
