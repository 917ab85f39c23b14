#include "broker/rollout/rollouts.hpp"

#include <algorithm>

namespace lull::broker {

namespace {

constexpr std::string_view by_rollout = "rollout";
constexpr Duration look_anyway = std::chrono::seconds(15);  // also where no node has reported anything
constexpr std::size_t most_ranked_at_once = 4000;           // a digest each, and a look at a row

Order order_about(Release const& release, OrderKind kind, WallTime since) {
    Order order;
    order.kind = kind;
    order.software = release.info.software;
    order.seq = release.entry.seq;
    order.since = since;
    order.by = by_rollout;
    return order;
}

Order order_for_turn(RolloutTurn const& turn, Release const& release) {
    auto order = order_about(release, OrderKind::share, turn.since);
    order.upto = turn.upto;
    order.stage = turn.stage;
    if (turn.accepted_failures > 0) order.accepted_failures = turn.accepted_failures;
    return order;
}

}  // namespace

// ---- for people ----

std::optional<Order> stop_of(OrderBook const& orders, Release const& release) {
    for (auto const kind : {OrderKind::withdraw, OrderKind::pause}) {
        auto const* order = orders.for_all().find(kind, release.info.software, release.entry.seq);
        if (order != nullptr) return *order;
    }
    return std::nullopt;
}

namespace {

std::string stop_text(Order const& stop) {
    return fmt::format("{} by {}{}", stop.kind == OrderKind::pause ? "paused" : "withdrawn", stop.by,
                       stop.why.empty() ? "" : ": " + stop.why);
}

}  // namespace

std::optional<std::string> note_on(OrderBook const& orders, Release const& release) {
    if (auto const stop = stop_of(orders, release)) return stop_text(*stop);
    auto const* turn = orders.for_all().find(OrderKind::share, release.info.software, release.entry.seq);
    if (turn == nullptr || !release.info.rollout) return std::nullopt;
    auto const& stages = release.info.rollout->stages;
    auto const stage = std::min<std::uint64_t>(turn->stage.value_or(0), stages.size() - 1);
    return fmt::format("rollout: stage {} of {}, {} of the nodes", stage + 1, stages.size(), share_text(stages[stage]));
}

std::optional<std::string> Rollouts::why_held(Release const& release, PeerKey const& node) const {
    if (auto const stop = stop_of(parts_.orders, release)) return fmt::format("the release is {}", stop_text(*stop));
    auto const turn = turn_of(release);
    if (!release.info.rollout) return std::nullopt;
    auto const* peer = parts_.peers.find(node);
    auto const name = peer == nullptr ? Result<NodeName>(NodeName()) : NodeName::parse(peer->name);
    if (!name) return std::nullopt;
    bool const its_turn = turn && place_in_rollout(release.info.software, release.info.version, *name) <= turn->upto;
    if (its_turn) return std::nullopt;
    return "its turn in the rollout has not come";
}

std::optional<RolloutProgress> Rollouts::progress(Release const& release, WallTime now) const {
    auto const turn = turn_of(release);
    auto const* tally = complete_tally(release);
    if (!turn || tally == nullptr) return std::nullopt;
    return progress_of(*release.info.rollout, *turn, *tally, {now, patience_});
}

std::uint64_t Rollouts::failed(SoftwareName const& software) const {
    auto const* release = parts_.log.newest(software);
    if (release == nullptr || !turn_of(*release)) return 0;
    auto const field = fields_.find(software);
    return field == fields_.end() ? 0 : field->second.tally.members().failed;
}

// ---- nodes ----

Rollouts::Rollouts(Parts parts, Duration patience, Effects& effects)
    : parts_(parts),
      patience_(patience),
      effects_(effects) {
    for (auto const& [software, position] : parts_.log.software()) begin(parts_.log.log()[position]);
}

void Rollouts::begin(Release const& release) {
    auto const& software = release.info.software;
    fields_.erase(software);
    to_rank_.erase(software);
    if (!release.info.rollout) return;
    auto& field = fields_.emplace(software, Field{release.entry.seq}).first->second;
    if (auto const turn = turn_of(release)) field.tally.open(turn->upto);
    to_rank_.insert(software);
}

RolloutTally::Node Rollouts::node_in(Release const& release, NodeNumber number) const {
    if (!parts_.peers.is_enrolled(number)) return {.removed = true};
    auto const name = NodeName::parse(parts_.peers.name_of(number));
    auto const row = parts_.node_status.report(release.info.software, parts_.peers.key_of(number));
    return {name ? place_in_rollout(release.info.software, release.info.version, *name) : 0,
            rollout_status(state_of(release.entry.seq, row)), parts_.presence.of(number)};
}

void Rollouts::rank_nodes(Moment now) {
    auto const count = parts_.peers.numbers();
    std::size_t left = most_ranked_at_once;
    while (!to_rank_.empty() && left > 0) {
        auto const software = *to_rank_.begin();
        auto const& release = *parts_.log.newest(software);
        auto& tally = fields_.at(software).tally;
        std::vector<RolloutTally::Node> nodes;
        for (auto number = tally.size(); number < count && nodes.size() < left; ++number)
            nodes.push_back(node_in(release, static_cast<NodeNumber>(number)));
        left -= nodes.size();
        tally.add(nodes);
        if (tally.size() < count) return;
        to_rank_.erase(software);
        look_at(release, now);
    }
}

void Rollouts::reported(SoftwareName const& software, NodeNumber node, NodeReport const& report) {
    changed_.insert(software);
    auto const field = fields_.find(software);
    if (field != fields_.end())
        field->second.tally.set_status(node, rollout_status(state_of(field->second.seq, report)));
}

void Rollouts::presence_changed(NodeNumber node, Presence presence) {
    for (auto& [software, field] : fields_) field.tally.set_presence(node, presence);
}

// With the next tick all rollouts are looked at: one may have waited for this node alone.
void Rollouts::removed(NodeNumber node) {
    for (auto& [software, field] : fields_) {
        field.tally.remove(node);
        changed_.insert(software);
    }
}

// ---- steps ----

void Rollouts::orders_changed(TimePoint now) {
    next_look_ = now;
    for (auto& [software, field] : fields_) {
        auto const* newest = parts_.log.newest(software);
        if (newest->entry.seq != field.seq) continue;
        if (auto const turn = turn_of(*newest)) field.tally.open(turn->upto);
    }
}

void Rollouts::released(Release const& release, Moment now) {
    begin(release);
    rank_nodes(now);
}

void Rollouts::tick(Moment now) {
    for (auto const& [software, field] : fields_) {
        if (field.tally.size() < parts_.peers.numbers()) to_rank_.insert(software);
    }
    rank_nodes(now);
    bool const all = now.point >= next_look_;
    if (all) next_look_ = now.point + look_anyway;
    auto const changed = std::exchange(changed_, {});
    for (auto const& [software, field] : fields_) {
        if (all || changed.contains(software)) look_at(*parts_.log.newest(software), now);
    }
}

std::optional<RolloutTurn> Rollouts::turn_of(Release const& release) const {
    auto const* order = parts_.orders.for_all().find(OrderKind::share, release.info.software, release.entry.seq);
    if (order == nullptr || !release.info.rollout) return std::nullopt;
    return RolloutTurn{order->stage.value_or(0), order->upto.value_or(0), order->since,
                       order->accepted_failures.value_or(0)};
}

RolloutTally const* Rollouts::complete_tally(Release const& release) const {
    auto const field = fields_.find(release.info.software);
    if (field == fields_.end() || field->second.seq != release.entry.seq) return nullptr;
    return to_rank_.contains(release.info.software) ? nullptr : &field->second.tally;
}

void Rollouts::look_at(Release const& release, Moment now) {
    auto const& software = release.info.software;
    if (complete_tally(release) == nullptr || stop_of(parts_.orders, release) || stepping_.contains(software)) return;
    auto const turn = turn_of(release);
    auto const& tally = fields_.at(software).tally;
    auto const step = next_step(*release.info.rollout, turn, tally, {now.wall, patience_});
    if (auto next = order_for(release, step, turn, now.wall)) order(release, std::move(*next), now);
}

std::optional<Order> Rollouts::order_for(Release const& release, RolloutStep const& step,
                                         std::optional<RolloutTurn> const& turn, WallTime now) {
    auto const& info = release.info;
    if (auto const* open = std::get_if<rollout_step::Open>(&step)) {
        if (!turn || turn->stage != open->turn.stage) {
            effects_.say(LogLevel::info,
                         fmt::format("rollout of {} {}: stage {} of {}, {} of the nodes", info.software.text(),
                                     info.version.text(), open->turn.stage + 1, info.rollout->stages.size(),
                                     share_text(info.rollout->stages[open->turn.stage])));
        }
        return order_for_turn(open->turn, release);
    }
    auto const* halt = std::get_if<rollout_step::Halt>(&step);
    if (halt == nullptr) return std::nullopt;
    effects_.say(LogLevel::error,
                 fmt::format("rollout of {} {} halts: {}", info.software.text(), info.version.text(), halt->why));
    auto pause = order_about(release, OrderKind::pause, now);
    pause.why = halt->why;
    return pause;
}

void Rollouts::order(Release const& release, Order order, Moment now) {
    auto const& software = release.info.software;
    stepping_.insert(software);
    auto done = [this, software](Status const& status, Moment then) {
        stepping_.erase(software);
        if (!status) {
            return effects_.say(LogLevel::error, fmt::format("the rollout of {} cannot go on: {}", software.text(),
                                                             status.error().message));
        }
        if (auto const* newest = parts_.log.newest(software)) look_at(*newest, then);
        if (stepped_) stepped_(software, then);
    };
    parts_.ordering.change(
        {std::nullopt, software, [order = std::move(order)](OrderSet& set) { set.put(order); }, std::move(done)}, now);
}

}  // namespace lull::broker
