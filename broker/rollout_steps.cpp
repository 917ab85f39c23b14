#include "broker/rollout_steps.hpp"

#include <algorithm>
#include <limits>

namespace lull::broker {

namespace {

constexpr std::uint64_t last_place = std::numeric_limits<std::uint64_t>::max();

// How many nodes a stage is for: at least one, if there are any.
std::uint64_t quota(Rollout const& rollout, std::uint64_t stage, std::size_t nodes) {
    return (rollout.stages[stage] * nodes + all_nodes - 1) / all_nodes;
}

// The place up to which the first `count` of the nodes stand, which are ordered by their places.
std::uint64_t place_of(std::vector<NodeInRollout> const& nodes, std::uint64_t count) {
    return count == 0 ? 0 : nodes[count - 1].place;
}

std::uint64_t away_up_to(std::vector<NodeInRollout> const& nodes, std::uint64_t place) {
    return static_cast<std::uint64_t>(
        std::ranges::count_if(nodes, [place](NodeInRollout const& node) { return node.place <= place && node.standing == Standing::away; }));
}

std::optional<std::string> reason_to_halt(Rollout const& rollout, RolloutProgress const& progress, std::uint64_t away, std::uint64_t forgiven) {
    if (!rollout.halt_on || progress.failed <= forgiven) return std::nullopt;
    auto const there = progress.members - away;
    if (progress.failed * all_nodes <= *rollout.halt_on * there) return std::nullopt;
    return fmt::format("it failed on {} of the {} node{} whose turn it was, and more than {} may not", progress.failed, there, there == 1 ? "" : "s",
                       share_text(*rollout.halt_on));
}

}  // namespace

RolloutStep next_step(Rollout const& rollout, std::optional<RolloutTurn> const& turn, std::vector<NodeInRollout> nodes, WallTime now) {
    std::ranges::sort(nodes, {}, &NodeInRollout::place);
    auto const open = [&](std::uint64_t stage) {
        auto const upto = stage + 1 == rollout.stages.size() ? last_place : place_of(nodes, quota(rollout, stage, nodes.size()));
        // A stage that was widened may have come further than the next one begins: nobody's turn is taken away.
        return rollout_step::Open{{stage, std::max(upto, turn ? turn->upto : 0), now, turn ? turn->forgiven : 0}};
    };
    if (!turn) return open(0);
    auto const progress = progress_of(rollout, *turn, nodes);
    if (auto why = reason_to_halt(rollout, progress, away_up_to(nodes, turn->upto), turn->forgiven)) return rollout_step::Halt{std::move(*why)};
    if (now < turn->since) {  // the clock was set back: the stage lasts its time from here
        auto again = *turn;
        again.since = now;
        return rollout_step::Open{again};
    }
    if (turn->stage + 1 >= rollout.stages.size() || progress.done + progress.failed + progress.blocked < progress.members) return rollout_step::Stay{};
    if (progress.done + progress.failed == 0) {
        // Without a single node that shows anything the others must not follow.
        auto const most = 2 * std::max<std::uint64_t>(1, quota(rollout, turn->stage, nodes.size()));
        auto const next = std::ranges::find_if(nodes, [&](NodeInRollout const& node) { return node.place > turn->upto && node.standing != Standing::blocked && node.standing != Standing::away; });
        if (next == nodes.end()) return rollout_step::Stay{};
        // Those before it take part too, and may not be blocked for long.
        auto const before = static_cast<std::uint64_t>(next - nodes.begin()) - away_up_to(nodes, next->place);
        if (before >= most) return rollout_step::Stay{};
        auto wider = *turn;
        wider.upto = next->place;
        return rollout_step::Open{wider};
    }
    auto const lasted = now.micros - turn->since.micros;
    if (lasted < static_cast<std::int64_t>(rollout.pause) * 1'000'000) return rollout_step::Stay{};
    return open(turn->stage + 1);
}

RolloutProgress progress_of(Rollout const& rollout, RolloutTurn const& turn, std::vector<NodeInRollout> const& nodes) {
    auto const stage = std::min<std::uint64_t>(turn.stage, rollout.stages.size() - 1);
    RolloutProgress progress{stage + 1, rollout.stages.size(), rollout.stages[stage]};
    for (auto const& node : nodes) {
        if (node.place > turn.upto) continue;
        ++progress.members;
        progress.done += node.standing == Standing::done ? 1 : 0;
        progress.failed += node.standing == Standing::failed ? 1 : 0;
        progress.blocked += node.standing == Standing::blocked || node.standing == Standing::away ? 1 : 0;
    }
    return progress;
}

}  // namespace lull::broker
