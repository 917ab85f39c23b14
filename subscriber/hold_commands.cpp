#include "subscriber/hold_commands.hpp"

#include <pwd.h>
#include <unistd.h>

#include "core/clock.hpp"
#include "core/duration.hpp"
#include "subscriber/holds.hpp"
#include "subscriber/membership.hpp"
#include "subscriber/process_stat.hpp"

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

Status hold(Arguments const& arguments) {
    auto const software = held_software(arguments);
    if (!software) return pass(software.error());
    Layout const layout(arguments.text("root"));
    if (auto const bundle = own_bundle(layout); !bundle) return pass(bundle.error());
    if (auto prepared = layout.prepare(); !prepared) return prepared;
    Hold wanted{SystemClock().wall(), std::nullopt, user_name(), printable(arguments.text("why"))};
    if (arguments.has("for")) {
        auto const length = parse_duration(arguments.text("for"));
        if (!length) return fail(Fault::usage, "--for: {}", length.error().message);
        wanted.until = WallTime{wanted.since.micros + std::chrono::microseconds(*length).count()};
    }
    if (auto saved = save_hold(layout, *software, wanted); !saved) return saved;
    fmt::print("{} stays as it is{}\n", *software ? (*software)->text() : "all software of this node",
               wanted.until ? " until " + to_text(*wanted.until) : ", until 'lull-node unhold'");
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
    return {.name = "root", .help = "the node's directory", .placeholder = "DIR", .fallback = usual_root, .environment = "LULL_ROOT"};
}

Command hold_command() {
    return {.name = "hold",
            .summary = "keep a piece of software as it is: releases are fetched and staged, but not switched to",
            .positional = {"[NAME]"},
            .options = {root_option(),
                        {.name = "all", .help = "every software of this node"},
                        {.name = "for", .help = "until then only, like 2h or 7d", .placeholder = "TIME"},
                        {.name = "why", .help = "shown to whoever wonders", .placeholder = "TEXT"}},
            .example = "lull-node hold kiosk-browser --for 2h --why 'inventory'",
            .run = hold};
}

Command unhold_command() {
    return {.name = "unhold",
            .summary = "let a piece of software change again",
            .positional = {"[NAME]"},
            .options = {root_option(), {.name = "all", .help = "take back the hold of every software of this node; holds of single ones stay"}},
            .example = "lull-node unhold kiosk-browser",
            .run = unhold};
}

}  // namespace lull::subscriber
