#include <iostream>

#include "core/command_line.hpp"
#include "core/table.hpp"
#include "tests/sim/line/figures.hpp"
#include "tests/sim/line/settings.hpp"

// Plays scenarios of the governor's laboratory in the simulator and prints the pairs of harm and use.

namespace {

using namespace lull;
using namespace lull::sim;

Result<double> to_number(std::string const& text) {
    try {
        return std::stod(text);
    } catch (std::exception const&) {
        return fail(Fault::usage, "'{}' is not a number", text);
    }
}

Result<Sending> sending_of(Arguments const& arguments) {
    using enum broker::Urgency;
    Sending sending;
    auto const urgency = arguments.text("urgency");
    sending.urgency = urgency == "urgent" ? urgent : urgency == "background" ? background : normal;
    sending.one_for_all = !arguments.flag("one-for-each");
    auto const by = arguments.text("by");
    if (by == "priority") return Sending{.kind = Sending::Kind::fixed, .fixed = 1};
    if (by == "cubic") sending.kind = Sending::Kind::cubic;
    if (by.starts_with("fixed:")) {
        auto const at = by.find('@');
        auto const share = to_number(by.substr(by.find(':') + 1));
        if (!share) return pass(share.error());
        if (at != std::string::npos) {
            auto const age = to_number(by.substr(at + 1));
            if (!age) return pass(age.error());
            sending.age = from_seconds(*age / 1000);
        }
        sending.kind = Sending::Kind::fixed;
        sending.fixed = *share;
    }
    for (auto const& setting : arguments.all("set")) {
        auto const equals = setting.find('=');
        if (equals == std::string::npos) return fail(Fault::usage, "'{}': write CONSTANT=VALUE", setting);
        auto const value = to_number(setting.substr(equals + 1));
        if (!value) return pass(value.error());
        if (auto const done = set_constant(sending.tuning, setting.substr(0, equals), *value); !done)
            return pass(done.error());
    }
    return sending;
}

Result<std::vector<Setting>> settings_of(Arguments const& arguments) {
    std::vector<Setting> chosen;
    if (arguments.all("scenario").empty()) chosen = settings();
    for (auto const& name : arguments.all("scenario")) {
        auto setting = find_setting(name);
        if (!setting) return pass(setting.error());
        if (arguments.text("by") == "priority") setting->line.discipline = Discipline::priority;
        chosen.push_back(std::move(*setting));
    }
    if (arguments.flag("at-once")) {
        for (auto& setting : chosen) setting.lateness = {.usual = {}, .sometimes = 0, .longest_stall = {}};
    }
    return chosen;
}

Status play(Arguments const& arguments) {
    auto const sending = sending_of(arguments);
    if (!sending) return pass(sending.error());
    auto const chosen = settings_of(arguments);
    if (!chosen) return pass(chosen.error());
    auto const first = arguments.number("seed");
    auto const count = arguments.number("seeds");
    if (!first) return pass(first.error());
    if (!count) return pass(count.error());

    Table table({{"SCENARIO"},
                 {"P50", Align::right},
                 {"P99", Align::right},
                 {"RESIDUAL", Align::right},
                 {"KEPT", Align::right},
                 {"GONE", Align::right},
                 {"BACK", Align::right},
                 {"QUEUE P50", Align::right},
                 {"P99", Align::right},
                 {"JAIN", Align::right},
                 {"MBIT/S", Align::right}});
    for (auto const& setting : *chosen) {
        std::vector<Figures> runs;
        for (auto seed = *first; seed < *first + *count; ++seed) {
            runs.push_back(measure(setting, *sending, seed));
        }
        auto const m = median(runs);
        table.add({{setting.name},
                   {fmt::format("{:+.1f} %", (m.p50 - 1) * 100)},
                   {fmt::format("{:+.1f} %", (m.p99 - 1) * 100)},
                   {fmt::format("{:.1f} %", m.residual * 100)},
                   {fmt::format("{:.1f} %", m.kept * 100)},
                   {fmt::format("{:.2f} s", m.gone)},
                   {fmt::format("{:.2f} s", m.back)},
                   {fmt::format("{:.2f} ms", m.queue_p50)},
                   {fmt::format("{:.2f} ms", m.queue_p99)},
                   {fmt::format("{:.3f}", m.jain)},
                   {fmt::format("{:.2f}", m.mbit)}});
    }
    std::cout << table.render(painting_for_output());
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    Command const command{
        .name = "play",
        .summary = "play scenarios and print medians over seeds",
        .positional = {},
        .options =
            {{.name = "scenario",
              .help = "one of them, again for more (default: all)",
              .placeholder = "NAME",
              .many = true},
             {.name = "seed", .help = "the first seed", .placeholder = "N", .fallback = "1"},
             {.name = "seeds", .help = "how many", .placeholder = "N", .fallback = "5"},
             {.name = "by",
              .help = "what sends: governor, cubic, priority, fixed:SHARE, fixed:SHARE@MS (silent while there was a "
                      "queue MS ago)",
              .placeholder = "WHAT",
              .fallback = "governor"},
             {.name = "urgency", .help = "urgent, normal, background", .placeholder = "WORD", .fallback = "normal"},
             {.name = "one-for-each",
              .help = "each node has a controller of its own, although all are behind one line"},
             {.name = "at-once", .help = "programs are never late"},
             {.name = "set",
              .help = "a constant of PathTuning (durations in ms)",
              .placeholder = "CONSTANT=VALUE",
              .many = true}},
        .example = "line_sim play --scenario web --seed 101 --seeds 20 --set normal=3",
        .run = play};
    return CommandLine("line_sim", "a shared line, others, and the governor", {command}).run(argc, argv);
}
