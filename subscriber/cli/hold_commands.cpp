#include "subscriber/cli/hold_commands.hpp"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>

#include "core/clock.hpp"
#include "core/duration.hpp"
#include "subscriber/cli/status_view.hpp"
#include "subscriber/disk/hold_files.hpp"
#include "subscriber/disk/membership.hpp"
#include "subscriber/proc/process_stat.hpp"

namespace lull::subscriber {

namespace {

constexpr char const* usual_root = "/var/lib/lull";

// One name, or none with --all.
Result<std::optional<SoftwareName>> held_software(Arguments const& arguments) {
    bool const all = arguments.flag("all");
    auto const& names = arguments.positional();
    if (all != names.empty()) return fail(Fault::usage, "name one piece of software, or give --all");
    if (all) return std::nullopt;
    auto name = SoftwareName::parse(names.front());
    if (!name) return pass(name.error());
    return *name;
}

std::string user_name() {
    auto const* const entry = getpwuid(getuid());
    return entry == nullptr ? std::to_string(getuid()) : printable(entry->pw_name);
}

// A hold on a misspelt name would keep nothing off. What was announced is known, installed or not.
Status check_known(Layout const& layout, SoftwareName const& software) {
    auto const view = read_status(layout);
    if (!view) return pass(view.error());
    if (std::ranges::count(view->rows, software, &StatusView::Row::software) > 0) return {};
    auto const installed = layout.known_software();
    if (!installed) return pass(installed.error());
    if (std::ranges::count(*installed, software) > 0) return {};
    return fail(
        Fault::not_found,
        "there is no software named '{}' here; 'lull-node status' shows what is, and --all holds what is to come",
        software.text());
}

Status hold(Arguments const& arguments) {
    auto const software = held_software(arguments);
    if (!software) return pass(software.error());
    Layout const layout(arguments.text("root"));
    if (auto const bundle = own_bundle(layout); !bundle) return pass(bundle.error());
    if (*software) {
        if (auto known = check_known(layout, **software); !known) return known;
    }
    if (auto prepared = layout.prepare(); !prepared) return prepared;
    Hold wanted{SystemClock().wall(), std::nullopt, user_name(), printable(arguments.text("why"))};
    if (arguments.has("for")) {
        auto const length = parse_duration(arguments.text("for"));
        if (!length) return fail(Fault::usage, "--for: {}", length.error().message);
        if (length->count() == 0) return fail(Fault::usage, "--for is 0: a hold has to last; 'unhold' ends one");
        wanted.until = WallTime{wanted.since.micros + std::chrono::microseconds(*length).count()};
    }
    if (auto saved = save_hold(layout, *software, wanted); !saved) return saved;
    fmt::print("{} stays as it is{}\n", *software ? (*software)->text() : "all software of this node",
               wanted.until ? " until " + to_text(*wanted.until) : ", until 'lull-node unhold'");
    auto const current = *software ? layout.current(**software) : std::optional<ReleaseId>();
    bool const is_missing = *software && current && !*current;
    if (is_missing)
        fmt::print("{} is not installed here yet; its first release is held as well\n", (*software)->text());
    return {};
}

Status unhold(Arguments const& arguments) {
    auto const software = held_software(arguments);
    if (!software) return pass(software.error());
    Layout const layout(arguments.text("root"));
    auto const removed = remove_hold(layout, *software);
    if (!removed) return pass(removed.error());
    auto const name = *software ? (*software)->text() : "all software of this node";
    if (!*removed) return fail(Fault::not_found, "{} was not held; 'lull-node status' shows what is", name);
    fmt::print("{} may change again\n", name);
    return {};
}

}  // namespace

Option root_option() {
    return {.name = "root",
            .help = "directory of the node",
            .placeholder = "DIR",
            .fallback = usual_root,
            .environment = "LULL_ROOT"};
}

Command hold_command() {
    return {.name = "hold",
            .summary = "keep the running version of a software; newer releases are staged, not switched to",
            .positional = {"[NAME]"},
            .options = {root_option(),
                        {.name = "all", .help = "every software of this node"},
                        {.name = "for", .help = "end the hold after this time, like 2h or 7d", .placeholder = "TIME"},
                        {.name = "why", .help = "reason, shown in status", .placeholder = "TEXT"}},
            .example = "lull-node hold kiosk-browser --for 2h --why 'inventory'",
            .run = hold};
}

Command unhold_command() {
    return {
        .name = "unhold",
        .summary = "take back a hold of this node",
        .positional = {"[NAME]"},
        .options = {root_option(), {.name = "all", .help = "the hold of every software; holds of single ones stay"}},
        .example = "lull-node unhold kiosk-browser",
        .run = unhold};
}

}  // namespace lull::subscriber
