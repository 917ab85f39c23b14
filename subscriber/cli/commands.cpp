#include "subscriber/cli/commands.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "core/command_line.hpp"
#include "store/owner_lock.hpp"
#include "subscriber/cli/call_command.hpp"
#include "subscriber/cli/daemon_options.hpp"
#include "subscriber/cli/hold_commands.hpp"
#include "subscriber/cli/move_command.hpp"
#include "subscriber/cli/starter.hpp"
#include "subscriber/cli/status_view.hpp"
#include "subscriber/daemon/daemon.hpp"
#include "subscriber/daemon/disk_trouble.hpp"
#include "subscriber/daemon/self_check.hpp"
#include "subscriber/disk/manifest_files.hpp"
#include "subscriber/disk/membership.hpp"
#include "subscriber/disk/own_program.hpp"
#include "subscriber/run/launcher.hpp"
#include "subscriber/run/supervisor.hpp"
#include "subscriber/tree/tree_check.hpp"

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
        return fail(Fault::refused, "{} belongs to node '{}' of {} already; to join it anew give --force",
                    layout.root().string(), before->node.text(), before->broker.to_text());
    }
    if (auto saved = bundle->save(layout.join_bundle()); !saved) return saved;
    fmt::print("joined {} as node '{}'\nnext:\n", bundle->broker.to_text(), bundle->node.text());
    if (store::has_owner(layout.journal())) {
        fmt::print("  restart lull-node: the daemon that runs here still has the identity from before\n");
    } else {
        fmt::print("  lull-node daemon --root {}\n", layout.root().string());
    }
    return {};
}

Command join_command() {
    return {
        .name = "join",
        .summary = "make this machine a node, with the join bundle that 'lull nodes new' wrote",
        .positional = {"BUNDLE"},
        .options = {root_option(), {.name = "force", .help = "join even if this directory belongs to another node"}},
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

// A loop that stops on the signals that end a daemon. One for each run: what the workers of an ended run have left for
// its loop must not be done in the next one.
class DaemonLoop {
public:
    explicit DaemonLoop(Log& log) {
        loop_.on_signal({SIGINT, SIGTERM}, [this, &log](int signal) {
            stopping_ = true;
            log.info("stopping on {}", signal == SIGINT ? "SIGINT" : "SIGTERM");
            loop_.stop();
        });
    }
    [[nodiscard]] EventLoop& loop() { return loop_; }
    [[nodiscard]] bool stopping() const { return stopping_; }  // a signal has come

private:
    EventLoop loop_;
    bool stopping_ = false;
};

// What is to go on in this process after a run that ended well; nothing: it ends.
using Successor = std::optional<ReleaseId>;

Result<Successor> run_daemon(DaemonSettings const& settings, Log& log) {
    DaemonLoop own(log);
    auto const opened = Daemon::open(settings, own.loop(), log);
    if (!opened) return pass(opened.error());
    if (auto ran = (*opened)->run(); !ran) return pass(ran.error());
    return own.stopping() ? Successor() : (*opened)->successor();
}

// While the disk cannot be written the broker is told so; then the daemon starts anew from what is durable.
Result<Successor> run_while_the_disk_allows(DaemonSettings const& settings, Log& log) {
    fs::path const& root = settings.layout.root();
    std::error_code ignored;
    for (;;) {
        // Before the first start there is no directory to look at.
        auto const before = fs::exists(root / ".lull" / "journal", ignored) ? probe_disk(settings.layout) : Status();
        auto outcome = before ? run_daemon(settings, log) : Result<Successor>(pass(before.error()));
        if (outcome) return outcome;
        auto const disk = before ? probe_disk(settings.layout) : before;
        if (disk) return outcome;
        log.error("{}", disk.error().message);
        TroubledNode const node{settings.layout, settings.bundle, settings.architecture};
        DaemonLoop own(log);
        auto const end = wait_for_disk(node, disk.error().message, own.loop(), log);
        if (end == TroubleEnd::stopped || own.stopping()) return Successor();
        log.info("the disk can be written again");
    }
}

// Runs until the daemon ends, or another release of lull-node goes on in this process. One that cannot be executed
// leaves this one running, which hands over no more.
Status run_until_end(DaemonSettings settings, Log& log) {
    for (;;) {
        auto const successor = run_while_the_disk_allows(settings, log);
        if (!successor) return pass(successor.error());
        if (!*successor) return {};
        auto const problem = become(settings.layout.tree(**successor) / settings.own_program->program);
        log.error("{}; this lull-node goes on until it is started again", problem.message);
        settings.own_program.reset();
    }
}

Status daemon(Arguments const& arguments) {
    auto const level = parse_log_level(arguments.text("log-level"));
    if (!level) return pass(level.error());
    Layout const layout(arguments.text("root"));
    auto settings = daemon_settings(arguments, layout);
    if (!settings) return pass(settings.error());
    auto bundle = own_bundle(layout);
    if (!bundle) return pass(bundle.error());
    settings->bundle = std::move(*bundle);
    Log log("lull-node", *level);
    if (arguments.flag("check")) return check_self(layout, settings->bundle, log);
    settings->own_program = own_program(layout);
    if (settings->own_program) {
        close_inherited_lock(layout, settings->own_program->release);
    } else {
        start_newer(layout, log);
    }
    start_anew_when_read_only(layout);

    raise_descriptor_limit();
    return run_until_end(std::move(*settings), log);
}

Command daemon_command() {
    return {.name = "daemon",
            .summary = "install the newest releases until SIGTERM",
            .positional = {},
            .options = daemon_options(),
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
            .summary = "show the installed and the newer releases, their states, and the reasons",
            .positional = {},
            .options = {root_option(), {.name = "json", .help = "print JSON"}},
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
    return {
        .name = "run",
        .summary = "start an installed software; the node does not switch it while it runs",
        .positional = {"NAME"},
        .options =
            {root_option(),
             {.name = "program",
              .help = "program of the release to start (default: the one that the release names)",
              .placeholder = "PATH"},
             {.name = "supervise",
              .help = "start the program again after it was ended for a switch; exit when it crashes, so that systemd "
                      "(Restart=) sees the crash"}},
        .example = "lull-node run kiosk-browser -- --fullscreen",
        .run = run,
        .rest = "ARGUMENTS"};
}

// ---- verify ----

Result<std::size_t> verify_software(Layout const& layout, SoftwareName const& software, TrustedKeys const& trusted) {
    auto const current = layout.current(software);
    if (!current) return pass(current.error());
    if (!*current) {
        return fail(Fault::not_found, "{} is not installed here; 'lull-node status' shows what is", software.text());
    }
    auto const manifest = load_manifest(layout, **current, trusted);
    if (!manifest) return pass(manifest.error());
    auto const differences = verify_tree(layout, **current, *manifest);
    if (!differences) return pass(differences.error());
    for (auto const& difference : *differences) fmt::print("{}: {}\n", software.text(), to_text(difference));
    if (differences->empty()) {
        fmt::print("{} {}: {} files, {}, all as signed\n", software.text(), (*current)->version.text(),
                   manifest->file_count(), to_text(manifest->content_size()));
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
        for (auto const& software : *known) {
            auto const current = layout.current(software);
            if (!current) return pass(current.error());
            if (*current) wanted.push_back(software);
        }
        if (wanted.empty()) fmt::print("no software is installed here\n");
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
            .summary = "compare the installed releases byte for byte with their signed manifests",
            .positional = {"[NAME...]"},
            .options = {root_option()},
            .example = "lull-node verify kiosk-browser",
            .run = verify};
}

}  // namespace

int run_program(int argc, char const* const* argv) {
    CommandLine program("lull-node", "keeps the software of this machine at the newest release",
                        {join_command(), move_command(), daemon_command(), status_command(), run_command(),
                         call_command(), hold_command(), unhold_command(), verify_command()});
    return program.run(argc, argv);
}

}  // namespace lull::subscriber
