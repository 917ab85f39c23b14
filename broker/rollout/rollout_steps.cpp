#include "broker/rollout/rollout_steps.hpp"

#include <algorithm>
#include <limits>

namespace lull::broker {

namespace {

constexpr std::uint64_t last_rank = std::numeric_limits<std::uint64_t>::max();

// How many nodes a stage is for: at least one, if there are any.
std::uint64_t quota(Rollout const& rollout, std::uint64_t stage, std::size_t nodes) {
    return (rollout.stages[stage] * nodes + all_nodes - 1) / all_nodes;
}

// Whether nodes that have come to no end are waited for no longer.
bool is_slow(RolloutTurn const& turn, RolloutClock const& clock) {
    return std::chrono::microseconds(clock.now.micros - turn.since.micros) > clock.patience;
}

std::optional<std::string> reason_to_halt(Rollout const& rollout, RolloutTurn const& turn,
                                          RolloutTally::Members const& members) {
    if (!rollout.halt_on || members.failed <= turn.accepted_failures) return std::nullopt;
    auto const there = members.all - members.away;
    if (members.failed * all_nodes <= *rollout.halt_on * there) return std::nullopt;
    return fmt::format("it failed on {} of the {} node{} whose turn it was, and more than {} may not", members.failed,
                       there, there == 1 ? "" : "s", share_text(*rollout.halt_on));
}

// The next stage, or the first one. A stage that was widened may have come further than the next one begins: no node's
// turn is taken away.
RolloutStep open_stage(Rollout const& rollout, RolloutTurn const& before, std::uint64_t stage,
                       RolloutTally const& nodes, WallTime now) {
    auto const upto = stage + 1 == rollout.stages.size() ? last_rank
                                                         : nodes.rank_of_first(quota(rollout, stage, nodes.count()));
    return rollout_step::Open{{stage, std::max(upto, before.upto), now, before.accepted_failures}};
}

// All members are blocked or away. Without a single node that shows anything the others must not follow, so that one
// more takes part. Those before it take part too, and may not be blocked for long.
RolloutStep widen(Rollout const& rollout, RolloutTurn const& turn, RolloutTally const& nodes,
                  RolloutTally::Pending pending) {
    auto const most = 2 * std::max<std::uint64_t>(1, quota(rollout, turn.stage, nodes.count()));
    auto const next = nodes.next_able(pending);
    if (!next || next->before >= most) return rollout_step::Stay{};
    auto wider = turn;
    wider.upto = next->rank;
    return rollout_step::Open{wider};
}

}  // namespace

RolloutStep next_step(Rollout const& rollout, std::optional<RolloutTurn> const& turn, RolloutTally const& nodes,
                      RolloutClock const& clock) {
    if (!turn) return open_stage(rollout, {}, 0, nodes, clock.now);
    auto const& members = nodes.members();
    if (auto why = reason_to_halt(rollout, *turn, members)) return rollout_step::Halt{std::move(*why)};
    if (clock.now < turn->since) {  // the clock was set back: the stage lasts its time from here
        auto again = *turn;
        again.since = clock.now;
        return rollout_step::Open{again};
    }
    bool const slow = is_slow(*turn, clock);
    if (turn->stage + 1 >= rollout.stages.size() || (members.pending > 0 && !slow)) return rollout_step::Stay{};
    if (members.done + members.failed == 0) {
        return widen(rollout, *turn, nodes,
                     slow ? RolloutTally::Pending::is_too_slow : RolloutTally::Pending::takes_part);
    }
    auto const lasted = clock.now.micros - turn->since.micros;
    if (lasted < static_cast<std::int64_t>(rollout.pause) * 1'000'000) return rollout_step::Stay{};
    return open_stage(rollout, *turn, turn->stage + 1, nodes, clock.now);
}

RolloutProgress progress_of(Rollout const& rollout, RolloutTurn const& turn, RolloutTally const& nodes,
                            RolloutClock const& clock) {
    auto const stage = std::min<std::uint64_t>(turn.stage, rollout.stages.size() - 1);
    auto const& members = nodes.members();
    auto const blocked = members.blocked + members.away + (is_slow(turn, clock) ? members.pending : 0);
    return {stage + 1, rollout.stages.size(), rollout.stages[stage], members.all, members.done, members.failed,
            blocked};
}

}  // namespace lull::broker
