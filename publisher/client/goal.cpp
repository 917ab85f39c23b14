#include "publisher/client/goal.hpp"

#include "core/table.hpp"
#include "core/text.hpp"

namespace lull::publisher {

namespace {

std::string name_of(ReleaseProgress const& progress) {
    return fmt::format("{} {}", progress.software.text(), progress.version.text());
}

std::string failures_text(ReleaseProgress const& progress) {
    std::string text;
    for (auto const& failure : progress.failures)
        text += fmt::format("\n  {}: {}", failure.node.text(), harmless(failure.why));
    auto const all = progress.in(NodeState::failed) + progress.in(NodeState::rolled_back);
    if (all > progress.failures.size())
        text += fmt::format("\n  and {} more ('lull status {}' shows them)", all - progress.failures.size(),
                            progress.software.text());
    return text;
}

std::string stop_text(Order const& stop) {
    return harmless(fmt::format("{} by {}{}", stop.kind == OrderKind::pause ? "paused" : "withdrawn", stop.by,
                                stop.why.empty() ? "" : ": " + stop.why));
}

// How many nodes are in which state, and where the rollout is.
std::string counts_text(ReleaseProgress const& progress) {
    auto text = fmt::format("{} of {} nodes active", progress.in(NodeState::active), progress.all());
    for (std::size_t i = 0; i < progress.nodes.size() && i <= static_cast<std::size_t>(enum_last(NodeState{})); ++i) {
        auto const state = static_cast<NodeState>(i);
        if (state != NodeState::active && progress.nodes[i] > 0)
            text += fmt::format(", {} {}", progress.nodes[i], to_text(state));
    }
    if (progress.away > 0) text += fmt::format(" ({} of these not seen lately)", progress.away);
    if (auto const& rollout = progress.rollout) {
        text += fmt::format("; stage {} of {} of its rollout, {} of the nodes", rollout->stage, rollout->stages,
                            share_text(rollout->share));
        if (rollout->blocked > 0) text += fmt::format(" ({} blocked)", rollout->blocked);
    }
    return text;
}

}  // namespace

Result<Goal> parse_goal(std::string_view text) {
    constexpr std::string_view active = "active:";
    if (text == "active") return Goal{};
    if (text.starts_with(active)) {
        if (auto const share = parse_share(text.substr(active.size()))) return Goal{*share};
    }
    return fail(Fault::usage, "{} is no goal; write the share of the nodes like active:95%", quoted(text));
}

std::optional<Status> outcome(Goal const& goal, ReleaseProgress const& progress) {
    auto const all = progress.all();
    if (all == 0)
        return fail(Fault::failed,
                    "cannot wait for a share of the nodes: no node is enrolled; enrol one with 'lull nodes new NAME'");
    auto const needed = (goal.share * all + all_nodes - 1) / all_nodes;
    auto const but = fmt::format("{}; the goal was {} node{}{}", counts_text(progress), needed, needed == 1 ? "" : "s",
                                 failures_text(progress));
    if (progress.stopped) {
        auto const advice =
            progress.stopped->kind == OrderKind::pause
                ? fmt::format(
                      "\ncontinue with 'lull resume {0}', or return to the release before with 'lull rollback {0}'",
                      progress.software.text())
                : "";
        return fail(Fault::failed, "{} is {}; {}{}", name_of(progress), stop_text(*progress.stopped), but, advice);
    }
    if (progress.in(NodeState::active) >= needed) return Status();
    if (progress.superseded)
        return fail(Fault::failed, "{} is superseded by a newer release; {}", name_of(progress), but);
    if (progress.in(NodeState::rolled_back) > all - needed)
        return fail(Fault::failed, "{} was rolled back on too many nodes; {}", name_of(progress), but);
    return std::nullopt;
}

std::string release_progress_text(ReleaseProgress const& progress) {
    auto text = fmt::format("{}: {}", name_of(progress), counts_text(progress));
    if (progress.stopped) text += "; " + stop_text(*progress.stopped);
    if (progress.superseded) text += "; superseded";
    return text;
}

Json progress_json(ReleaseProgress const& progress) {
    Json json = {{"software", progress.software.text()},
                 {"version", progress.version.text()},
                 {"seq", progress.seq.value},
                 {"nodes", progress.all()}};
    json["states"] = Json::object();
    for (std::size_t i = 0; i < progress.nodes.size() && i <= static_cast<std::size_t>(enum_last(NodeState{})); ++i) {
        if (progress.nodes[i] > 0) json["states"][std::string(to_text(static_cast<NodeState>(i)))] = progress.nodes[i];
    }
    json["away"] = progress.away;
    if (auto const& rollout = progress.rollout) {
        json["rollout"] = {{"stage", rollout->stage},
                           {"stages", rollout->stages},
                           {"share", static_cast<double>(rollout->share) / all_nodes},
                           {"members", rollout->members},
                           {"done", rollout->done},
                           {"failed", rollout->failed},
                           {"blocked", rollout->blocked}};
    }
    if (progress.stopped) json["stopped"] = stop_text(*progress.stopped);
    json["superseded"] = progress.superseded;
    json["failures"] = Json::array();
    for (auto const& failure : progress.failures)
        json["failures"].push_back({{"node", failure.node.text()}, {"why", failure.why}});
    return json;
}

}  // namespace lull::publisher
