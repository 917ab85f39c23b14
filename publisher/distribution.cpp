#include "publisher/distribution.hpp"

#include "core/duration.hpp"
#include "core/schedule.hpp"
#include "publisher/words.hpp"

namespace lull::publisher {

namespace {

constexpr std::uint64_t usual_halt = 200;  // hundredths of a percent of failed nodes

Result<std::uint64_t> seconds_of(Arguments const& arguments, std::string const& option) {
    auto const duration = parse_duration(arguments.text(option));
    if (!duration) return fail(Fault::usage, "--{}: {}", option, duration.error().message);
    return static_cast<std::uint64_t>(duration->count());
}

Result<HealthCheck> health_of(Arguments const& arguments) {
    auto words = split_words(arguments.text("health"));
    if (!words) return pass(words.error());
    if (words->empty()) return fail(Fault::usage, "--health names no program");
    HealthCheck health{words->front(), {words->begin() + 1, words->end()}};
    auto const limit = seconds_of(arguments, "health-time");
    if (!limit) return pass(limit.error());
    health.time_limit = *limit;
    auto const tries = arguments.number("health-tries");
    if (!tries) return pass(tries.error());
    health.tries = *tries;
    return health;
}

Result<std::vector<Hook>> hooks_of(Arguments const& arguments) {
    std::vector<Hook> hooks;
    auto const limit = seconds_of(arguments, "hook-time");
    if (!limit) return pass(limit.error());
    for (auto const time : {HookTime::before, HookTime::after}) {
        auto const option = fmt::format("{}-switch", to_text(time));
        for (auto const& text : arguments.all(option)) {
            auto words = split_words(text);
            if (!words) return pass(words.error());
            if (words->empty()) return fail(Fault::usage, "--{} names no program", option);
            hooks.push_back({time, words->front(), {words->begin() + 1, words->end()}, *limit});
        }
    }
    return hooks;
}

Result<Activation> activation_of(Arguments const& arguments) {
    Activation activation;
    auto const grace = seconds_of(arguments, "grace");
    if (!grace) return pass(grace.error());
    activation.grace = *grace;
    if (arguments.has("deadline")) {
        auto const deadline = seconds_of(arguments, "deadline");
        if (!deadline) return pass(deadline.error());
        activation.deadline = *deadline;
    }
    if (arguments.has("activate-at")) {
        auto const windows = Schedule::parse_times(arguments.text("activate-at"));
        if (!windows) return fail(Fault::usage, "--activate-at: {}", windows.error().message);
        activation.windows = arguments.text("activate-at");
    }
    if (arguments.has("health")) {
        auto health = health_of(arguments);
        if (!health) return pass(health.error());
        activation.health = std::move(*health);
    }
    activation.units = arguments.all("unit");
    auto hooks = hooks_of(arguments);
    if (!hooks) return pass(hooks.error());
    if (!hooks->empty()) activation.hooks = std::move(*hooks);
    if (auto const valid = validate(activation); !valid) return fail(Fault::usage, "{}", valid.error().message);
    return activation;
}

// Whoever says on what it shall halt wants one, be it of a single stage.
Result<std::optional<Rollout>> rollout_of(Arguments const& arguments) {
    if (!arguments.has("rollout") && !arguments.has("halt-on")) {
        if (arguments.has("stage-time")) return fail(Fault::usage, "--stage-time is for --rollout only");
        return std::optional<Rollout>();
    }
    Rollout rollout{{all_nodes}, 0, usual_halt};
    if (arguments.has("rollout")) {
        auto stages = parse_stages(arguments.text("rollout"));
        if (!stages) return fail(Fault::usage, "--rollout: {}", stages.error().message);
        rollout.stages = std::move(*stages);
    }
    if (arguments.text("halt-on") == "never") {
        rollout.halt_on.reset();
    } else if (arguments.has("halt-on")) {
        auto const halt = parse_halt(arguments.text("halt-on"));
        if (!halt) return fail(Fault::usage, "--halt-on: {}, or 'never'", halt.error().message);
        rollout.halt_on = *halt;
    }
    if (arguments.has("stage-time")) {
        auto const pause = seconds_of(arguments, "stage-time");
        if (!pause) return pass(pause.error());
        rollout.pause = *pause;
    }
    if (auto const valid = validate(rollout); !valid) return fail(Fault::usage, "{}", valid.error().message);
    return std::optional(std::move(rollout));
}

}  // namespace

Result<Distribution> distribution_of(Arguments const& arguments) {
    Distribution distribution;
    for (auto const& text : arguments.all("group")) {
        auto group = GroupName::parse(text);
        if (!group) return pass(group.error());
        distribution.groups.push_back(std::move(*group));
    }
    auto const urgency = parse_urgency(arguments.text("urgency"));
    if (!urgency) return fail(Fault::usage, "--urgency: {}", urgency.error().message);
    distribution.urgency = *urgency;
    auto const policy = parse_policy(arguments.text("policy"));
    if (!policy) return fail(Fault::usage, "--policy: {}", policy.error().message);
    distribution.policy = *policy;
    auto activation = activation_of(arguments);
    if (!activation) return pass(activation.error());
    if (*activation != Activation{}) distribution.activation = std::move(*activation);
    auto rollout = rollout_of(arguments);
    if (!rollout) return pass(rollout.error());
    distribution.rollout = std::move(*rollout);
    return distribution;
}

std::vector<Option> distribution_options() {
    return {{.name = "group", .help = "only for this group of nodes", .placeholder = "GROUP", .many = true},
            {.name = "urgency",
             .help = "how much others on the network may notice: background, normal, urgent, or immediate: it takes what it can get",
             .placeholder = "WORD",
             .fallback = "normal"},
            {.name = "policy",
             .help = "while the release before is in use: wait until it is not; restart: ask who uses it to end, then end it; "
                     "now: who uses it keeps its files",
             .placeholder = "WORD",
             .fallback = "wait"},
            {.name = "grace",
             .help = "with restart: how long who uses it has to end by itself",
             .placeholder = "TIME",
             .fallback = "30s"},
            {.name = "deadline",
             .help = "with wait: after so long who uses it is asked to end, as with restart",
             .placeholder = "TIME"},
            {.name = "activate-at",
             .help = "times of day at which nodes may switch to it, like '22:00-05:00 Europe/Berlin'",
             .placeholder = "TIMES"},
            {.name = "unit",
             .help = "systemd service that is stopped before the switch and started after it, with restart",
             .placeholder = "UNIT",
             .many = true},
            {.name = "health",
             .help = "program of the release that ends with 0 if it works on a node; else the node goes back to the release before",
             .placeholder = "COMMAND"},
            {.name = "health-time", .help = "how long it may take", .placeholder = "TIME", .fallback = "10s"},
            {.name = "health-tries", .help = "how often it may fail before it counts", .placeholder = "N", .fallback = "3"},
            {.name = "before-switch",
             .help = "program of the release that runs before the switch, on nodes that allow hooks; if it fails they stay with what they have",
             .placeholder = "COMMAND",
             .many = true},
            {.name = "after-switch",
             .help = "the same after the switch; if it fails they go back",
             .placeholder = "COMMAND",
             .many = true},
            {.name = "hook-time", .help = "how long each of these may take", .placeholder = "TIME", .fallback = "30s"},
            {.name = "rollout",
             .help = "in which steps nodes switch to it, like 1%,10%,100%: the next ones when it works on those before; all fetch it at once",
             .placeholder = "SHARES"},
            {.name = "halt-on",
             .help = "with a rollout: nobody else switches if it failed on more of those who may (default: failed>2%), or 'never'",
             .placeholder = "CONDITION"},
            {.name = "stage-time", .help = "with --rollout: how long a step lasts at least", .placeholder = "TIME"}};
}

}  // namespace lull::publisher
