#include "publisher/cli/show_view.hpp"

namespace lull::publisher {

namespace {

std::string seconds_text(std::uint64_t seconds) { return to_text(Duration(std::chrono::seconds(seconds))); }

std::string command_text(std::string const& program, std::vector<std::string> const& arguments) {
    auto text = program;
    for (auto const& argument : arguments) text += " " + argument;
    return text;
}

// Names and values below each other.
class Lines {
public:
    void add(std::string_view name, std::string const& value) {
        if (!value.empty()) text_ += fmt::format("  {:<12} {}\n", name, value);
    }
    [[nodiscard]] std::string const& text() const { return text_; }

private:
    std::string text_;
};

void add_activation(Activation const& how, Policy policy, Lines& lines) {
    auto text = std::string(to_text(policy));
    if (policy == Policy::restart) text += fmt::format(", {} between SIGTERM and SIGKILL", seconds_text(how.grace));
    lines.add("policy", text);
    if (how.deadline) lines.add("deadline", fmt::format("users are ended after {}", seconds_text(*how.deadline)));
    lines.add("activate at", how.windows);
    lines.add("units", fmt::format("{}", fmt::join(how.units, ", ")));
    if (auto const& health = how.health) {
        lines.add("health",
                  fmt::format("{}; up to {} a try, {} tries", command_text(health->program, health->arguments),
                              seconds_text(health->time_limit), health->tries));
    }
    for (auto const& hook : how.hooks.value_or(std::vector<Hook>())) {
        lines.add(
            fmt::format("{} switch", to_text(hook.time)),
            fmt::format("{}; up to {}", command_text(hook.program, hook.arguments), seconds_text(hook.time_limit)));
    }
}

std::string rollout_text(Rollout const& rollout) {
    std::vector<std::string> stages;
    for (auto const stage : rollout.stages) stages.push_back(share_text(stage));
    auto text = fmt::format("{}", fmt::join(stages, ", "));
    if (rollout.halt_on) text += fmt::format("; pauses if it fails on more than {}", share_text(*rollout.halt_on));
    if (rollout.pause > 0) text += fmt::format("; each stage lasts {} or longer", seconds_text(rollout.pause));
    return text;
}

std::vector<std::string> signer_names(ReleaseRow const& row) {
    std::vector<std::string> names;
    if (!row.update) return names;
    for (auto const& signature : row.update->signatures) names.push_back(to_hex(signature.key));
    return names;
}

Json activation_json(Activation const& how) {
    Json json = {{"grace", how.grace}, {"units", how.units}};
    if (how.deadline) json["deadline"] = *how.deadline;
    if (!how.windows.empty()) json["activate_at"] = how.windows;
    if (auto const& health = how.health) {
        json["health"] = {{"program", health->program},
                          {"arguments", health->arguments},
                          {"time_limit", health->time_limit},
                          {"tries", health->tries}};
    }
    json["hooks"] = Json::array();
    for (auto const& hook : how.hooks.value_or(std::vector<Hook>())) {
        json["hooks"].push_back({{"when", to_text(hook.time)},
                                 {"program", hook.program},
                                 {"arguments", hook.arguments},
                                 {"time_limit", hook.time_limit}});
    }
    return json;
}

}  // namespace

std::string show_text(ReleaseRow const& row, UpdateInfo const& info, WallTime now) {
    Lines lines;
    lines.add("published", clock_text(row.time, now));
    for (auto const& key : signer_names(row)) lines.add("signed by", key);
    lines.add("urgency", std::string(to_text(info.urgency)));
    add_activation(info.activation.value_or(Activation()), info.policy, lines);
    if (info.rollout) lines.add("rollout", rollout_text(*info.rollout));
    lines.add("callable", fmt::format("{}", fmt::join(info.callable.value_or(std::vector<std::string>()), ", ")));
    for (auto const& build : info.builds) {
        lines.add("build", fmt::format("{}: {} in {} {}, manifest {}", build.architecture.text(), to_text(build.size),
                                       build.files, build.files == 1 ? "file" : "files", build.manifest.hex()));
    }
    lines.add("active on", fmt::format("{} {}", row.active, row.active == 1 ? "node" : "nodes"));
    lines.add("note", row.note.value_or(""));
    return fmt::format("{} {}, number {} in the broker's log{}\n{}", info.software.text(), info.version.text(),
                       row.seq.value, row.newest ? ", the newest release" : "", lines.text());
}

// Times in seconds; shares in percent.
Json show_json(ReleaseRow const& row, UpdateInfo const& info) {
    Json json = {{"software", info.software.text()},
                 {"version", info.version.text()},
                 {"seq", row.seq.value},
                 {"newest", row.newest},
                 {"published", to_text(row.time)},
                 {"signed_by", signer_names(row)},
                 {"urgency", to_text(info.urgency)},
                 {"policy", to_text(info.policy)},
                 {"activation", activation_json(info.activation.value_or(Activation()))},
                 {"callable", info.callable.value_or(std::vector<std::string>())},
                 {"active", row.active}};
    if (auto const& rollout = info.rollout) {
        auto const percent = [](std::uint64_t share) { return static_cast<double>(share) * 100 / all_nodes; };
        Json stages = Json::array();
        for (auto const stage : rollout->stages) stages.push_back(percent(stage));
        json["rollout"] = {{"stages", std::move(stages)}, {"stage_time", rollout->pause}};
        if (rollout->halt_on) json["rollout"]["halt_on"] = percent(*rollout->halt_on);
    }
    if (row.note) json["note"] = *row.note;
    json["builds"] = Json::array();
    for (auto const& build : info.builds) {
        json["builds"].push_back({{"architecture", build.architecture.text()},
                                  {"size", build.size.count()},
                                  {"files", build.files},
                                  {"manifest", build.manifest.hex()}});
    }
    return json;
}

}  // namespace lull::publisher
