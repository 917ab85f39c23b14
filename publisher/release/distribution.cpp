#include "publisher/release/distribution.hpp"

#include "core/duration.hpp"
#include "core/schedule.hpp"
#include "core/shell_words.hpp"

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

// --halt-on without --rollout is a rollout of one stage.
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

// The values that the parts of a release that may be absent have.
Status read_details(Arguments const& arguments, DistributionChanges& changes) {
    auto const health_time = seconds_of(arguments, "health-time");
    if (!health_time) return pass(health_time.error());
    auto const tries = arguments.number("health-tries");
    if (!tries) return pass(tries.error());
    auto const hook_time = seconds_of(arguments, "hook-time");
    if (!hook_time) return pass(hook_time.error());
    changes.health_time = *health_time;
    changes.health_tries = *tries;
    changes.hook_time = *hook_time;
    return {};
}

// Fault::usage for an option that was given and has no effect beside the others.
Status check_effects(Distribution const& all, std::set<std::string> const& given) {
    auto const activation = all.activation.value_or(Activation());
    auto const idle = [&](char const* option, bool has_effect) { return given.contains(option) && !has_effect; };
    if (idle("deadline", all.policy == Policy::wait))
        return fail(Fault::usage, "--deadline has no effect with this --policy; it is for --policy wait");
    if (idle("health-time", activation.health.has_value()))
        return fail(Fault::usage, "--health-time has no effect without --health");
    if (idle("health-tries", activation.health.has_value()))
        return fail(Fault::usage, "--health-tries has no effect without --health");
    if (idle("hook-time", activation.hooks.has_value()))
        return fail(Fault::usage, "--hook-time has no effect without --before-switch or --after-switch");
    return {};
}

}  // namespace

Result<DistributionChanges> distribution_changes(Arguments const& arguments) {
    DistributionChanges changes;
    auto& asked = changes.asked;
    auto const urgency = parse_urgency(arguments.text("urgency"));
    if (!urgency) return fail(Fault::usage, "--urgency: {}", urgency.error().message);
    asked.urgency = *urgency;
    auto const policy = parse_policy(arguments.text("policy"));
    if (!policy) return fail(Fault::usage, "--policy: {}", policy.error().message);
    asked.policy = *policy;
    auto activation = activation_of(arguments);
    if (!activation) return pass(activation.error());
    if (*activation != Activation{}) asked.activation = std::move(*activation);
    auto rollout = rollout_of(arguments);
    if (!rollout) return pass(rollout.error());
    asked.rollout = std::move(*rollout);
    if (auto status = read_details(arguments, changes); !status) return pass(status.error());
    for (auto const& option : distribution_options()) {
        if (arguments.given().contains(option.name)) changes.given.insert(option.name);
    }
    return changes;
}

Result<Distribution> distribution_of(Arguments const& arguments) {
    auto changes = distribution_changes(arguments);
    if (!changes) return pass(changes.error());
    if (auto status = check_effects(changes->asked, changes->given); !status) return pass(status.error());
    return std::move(changes->asked);
}

Result<Distribution> changed(Distribution before, DistributionChanges const& changes) {
    auto const& given = changes.given;
    auto const has = [&](char const* option) { return given.contains(option); };
    auto const& asked = changes.asked;
    if (has("urgency")) before.urgency = asked.urgency;
    if (has("policy")) before.policy = asked.policy;
    if (has("rollout") || has("halt-on") || has("stage-time")) before.rollout = asked.rollout;
    auto activation = before.activation.value_or(Activation());
    auto const wanted = asked.activation.value_or(Activation());
    if (has("grace")) activation.grace = wanted.grace;
    if (has("deadline")) activation.deadline = wanted.deadline;
    if (has("activate-at")) activation.windows = wanted.windows;
    if (has("unit")) activation.units = wanted.units;
    if (has("health")) {
        activation.health = wanted.health;
    } else if (activation.health) {
        if (has("health-time")) activation.health->time_limit = changes.health_time;
        if (has("health-tries")) activation.health->tries = changes.health_tries;
    }
    if (has("before-switch") || has("after-switch")) {
        activation.hooks = wanted.hooks;
    } else if (activation.hooks && has("hook-time")) {
        for (auto& hook : *activation.hooks) hook.time_limit = changes.hook_time;
    }
    before.activation.reset();
    if (activation != Activation{}) before.activation = std::move(activation);
    if (auto status = check_effects(before, given); !status) return pass(status.error());
    return before;
}

std::vector<std::string> differences(Distribution const& one, Distribution const& other) {
    std::vector<std::string> names;
    auto const compare = [&](char const* name, auto const& left, auto const& right) {
        if (!(left == right)) names.emplace_back(name);
    };
    auto const its = one.activation.value_or(Activation());
    auto const others = other.activation.value_or(Activation());
    compare("group", one.groups, other.groups);
    compare("urgency", one.urgency, other.urgency);
    compare("policy", one.policy, other.policy);
    compare("grace", its.grace, others.grace);
    compare("deadline", its.deadline, others.deadline);
    compare("activate-at", its.windows, others.windows);
    compare("unit", its.units, others.units);
    compare("health", its.health, others.health);
    compare("before-switch and after-switch", its.hooks, others.hooks);
    compare("rollout", one.rollout, other.rollout);
    compare("callable", one.callable, other.callable);
    return names;
}

std::vector<Option> distribution_options() {
    return {
        {.name = "urgency",
         .help = "how much the transfer may slow other traffic: background, normal, urgent, or immediate (no limit)",
         .placeholder = "WORD",
         .fallback = "normal"},
        {.name = "policy",
         .help = "while the running version is in use: wait (switch when it is no longer used), restart (SIGTERM, "
                 "SIGKILL after --grace, then switch), now (switch; processes keep the files of their version)",
         .placeholder = "WORD",
         .fallback = "wait"},
        {.name = "grace",
         .help = "with restart: time between SIGTERM and SIGKILL",
         .placeholder = "TIME",
         .fallback = "30s"},
        {.name = "deadline", .help = "with wait: after this time do as restart does", .placeholder = "TIME"},
        {.name = "activate-at",
         .help = "times of day at which nodes may switch, like '22:00-05:00 Europe/Berlin'",
         .placeholder = "TIMES"},
        {.name = "unit",
         .help = "systemd service that restart stops before the switch and starts after it",
         .placeholder = "UNIT",
         .many = true},
        {.name = "health",
         .help = "program of the release that exits with 0 if the release works; else the node rolls back",
         .placeholder = "COMMAND"},
        {.name = "health-time", .help = "time limit of one health check", .placeholder = "TIME", .fallback = "10s"},
        {.name = "health-tries",
         .help = "number of tries until the health check counts as failed",
         .placeholder = "N",
         .fallback = "3"},
        {.name = "before-switch",
         .help = "program of the release that a node runs before the switch, if its owner allows hooks; if the program "
                 "fails the node keeps its version",
         .placeholder = "COMMAND",
         .many = true},
        {.name = "after-switch",
         .help = "the same after the switch; if the program fails the node rolls back",
         .placeholder = "COMMAND",
         .many = true},
        {.name = "hook-time", .help = "time limit of each hook", .placeholder = "TIME", .fallback = "30s"},
        {.name = "rollout",
         .help = "shares of the nodes that switch one after the other, like 1%,10%,100%; all nodes fetch at once",
         .placeholder = "SHARES"},
        {.name = "halt-on",
         .help = "pause the rollout if the release fails on more of the nodes that may switch (default: failed>2%), or "
                 "'never'",
         .placeholder = "CONDITION"},
        {.name = "stage-time", .help = "with --rollout: shortest time of a stage", .placeholder = "TIME"}};
}

}  // namespace lull::publisher
