#include <algorithm>

#include "broker/broker.hpp"

// Rollouts: whose turn it is, and what there is to say of how far a release is.

namespace lull::broker {

namespace {

constexpr std::string_view by_rollout = "rollout";
constexpr Duration look_anyway = std::chrono::seconds(15);  // also where no node has said anything new

bool is_longer(std::int64_t micros, Duration than) { return std::chrono::microseconds(micros) > than; }

std::optional<RolloutTurn> turn_of(Order const* share) {
    if (share == nullptr) return std::nullopt;
    return RolloutTurn{share->stage.value_or(0), share->upto.value_or(0), share->since, share->forgiven.value_or(0)};
}

Order order_about(Release const& release, OrderKind kind, WallTime since) {
    Order order;
    order.kind = kind;
    order.software = release.info.software;
    order.seq = release.entry.seq;
    order.since = since;
    order.by = by_rollout;
    return order;
}

Order order_for(RolloutTurn const& turn, Release const& release) {
    auto order = order_about(release, OrderKind::share, turn.since);
    order.upto = turn.upto;
    order.stage = turn.stage;
    if (turn.forgiven > 0) order.forgiven = turn.forgiven;
    return order;
}

}  // namespace

// ---- nodes ----

// Nodes check in every quarter of an hour, whatever happens.
bool Broker::is_away(PeerKey const& node, WallTime now) const {
    if (node_sessions_.contains(node)) return false;
    auto const* seen = state_.sightings.find(node);
    return seen == nullptr || is_longer(now.micros - seen->when.micros, settings_.away);
}

NodeState Broker::state_on(Release const& release, PeerKey const& node) const {
    auto const* row = state_.ledger.find(release.info.software, node);
    if (row == nullptr) return NodeState::undistributed;
    if (row->active == release.entry.seq && row->seq != release.entry.seq) return NodeState::active;  // and a newer one is on its way
    if (row->seq == release.entry.seq) return row->state;
    return row->seq > release.entry.seq ? NodeState::superseded : NodeState::undistributed;
}

Standing Broker::standing_of(Release const& release, PeerKey const& node, std::optional<RolloutTurn> const& turn, WallTime now) const {
    switch (state_on(release, node)) {
        case NodeState::active:
        case NodeState::superseded: return Standing::done;
        case NodeState::failed:
        case NodeState::rolled_back: return Standing::failed;
        case NodeState::waiting:
        case NodeState::held: return Standing::blocked;
        default: break;
    }
    bool const slow = turn && is_longer(now.micros - turn->since.micros, settings_.rollout_patience);
    if (is_away(node, now)) return Standing::away;
    return slow ? Standing::blocked : Standing::pending;
}

// Places cost a digest each: they are worked out once for a release, and again when nodes were enrolled.
std::vector<Broker::PlaceOfNode> const& Broker::places_in(Release const& release) {
    auto& places = places_[release.info.software];
    auto const& enrolled = state_.peers.nodes();
    if (places.seq == release.entry.seq && places.enrolled == enrolled.size()) return places.nodes;
    places = {release.entry.seq, enrolled.size(), {}};
    for (auto const& [name, key] : enrolled) {
        auto const node = NodeName::parse(name);
        if (node) places.nodes.push_back({place_in_rollout(release.info.software, release.info.version, *node), key});
    }
    return places.nodes;
}

std::vector<NodeInRollout> Broker::nodes_in_rollout(Release const& release, std::optional<RolloutTurn> const& turn, WallTime now) {
    auto const& places = places_in(release);
    std::vector<NodeInRollout> nodes;
    nodes.reserve(places.size());
    for (auto const& [place, key] : places) nodes.push_back({place, standing_of(release, key, turn, now)});
    return nodes;
}

// ---- steps ----

void Broker::advance_rollouts(Moment now) {
    if (reports_ == looked_at_reports_ && now.point < next_rollout_look_) return;
    looked_at_reports_ = reports_;
    next_rollout_look_ = now.point + look_anyway;
    for (auto const& [software, position] : state_.catalogue.software()) {
        auto const& newest = state_.catalogue.log()[position];
        if (newest.info.rollout) advance_rollout(newest, now);
    }
    tell_followers(now);
}

void Broker::advance_rollout(Release const& release, Moment now) {
    auto const& software = release.info.software;
    auto const& orders = state_.orders.for_all();
    bool const stopped = orders.find(OrderKind::pause, software, release.entry.seq) != nullptr ||
                         orders.find(OrderKind::withdraw, software, release.entry.seq) != nullptr;
    if (stopped || advancing_.contains(software)) return;
    auto const turn = turn_of(orders.find(OrderKind::share, software, release.entry.seq));
    auto step = next_step(*release.info.rollout, turn, nodes_in_rollout(release, turn, now.wall), now.wall);
    std::optional<Order> order;
    if (auto const* open = std::get_if<rollout_step::Open>(&step)) {
        order = order_for(open->turn, release);
        if (!turn || turn->stage != open->turn.stage) {
            say(LogLevel::info, fmt::format("rollout of {} {}: stage {} of {}, {} of the nodes", software.text(), release.info.version.text(),
                                            open->turn.stage + 1, release.info.rollout->stages.size(),
                                            share_text(release.info.rollout->stages[open->turn.stage])));
        }
    } else if (auto* halt = std::get_if<rollout_step::Halt>(&step)) {
        say(LogLevel::error, fmt::format("rollout of {} {} halts: {}", software.text(), release.info.version.text(), halt->why));
        order = order_about(release, OrderKind::pause, now.wall);
        order->why = std::move(halt->why);
    }
    if (!order) return;
    advancing_.insert(software);
    auto done = [this, software](Status const& status, Moment then) {
        advancing_.erase(software);
        if (!status) return say(LogLevel::error, fmt::format("the rollout of {} cannot go on: {}", software.text(), status.error().message));
        next_rollout_look_ = then.point;
        advance_rollouts(then);
    };
    change_orders({std::nullopt, software, [order = *order](OrderSet& set) { set.put(order); }, std::move(done)}, now);
}

std::uint64_t Broker::failed_in_rollout(SoftwareName const& software, Moment now) {
    auto const* release = state_.catalogue.newest(software);
    if (release == nullptr || !release->info.rollout) return 0;
    auto const turn = turn_of(state_.orders.for_all().find(OrderKind::share, software, release->entry.seq));
    if (!turn) return 0;
    return progress_of(*release->info.rollout, *turn, nodes_in_rollout(*release, turn, now.wall)).failed;
}

// ---- progress ----

std::optional<Order> Broker::stop_of(Release const& release) const {
    for (auto const kind : {OrderKind::withdraw, OrderKind::pause}) {
        auto const* order = state_.orders.for_all().find(kind, release.info.software, release.entry.seq);
        if (order != nullptr) return *order;
    }
    return std::nullopt;
}

ReleaseProgress Broker::progress(Release const& release, WallTime now) {
    auto const& software = release.info.software;
    ReleaseProgress progress;
    progress.software = software;
    progress.version = release.info.version;
    progress.seq = release.entry.seq;
    progress.nodes.resize(static_cast<std::size_t>(enum_last(NodeState{})) + 1);
    for (auto const& [name, key] : state_.peers.nodes()) {
        auto const state = state_on(release, key);
        ++progress.nodes[static_cast<std::size_t>(state)];
        bool const failed = state == NodeState::failed || state == NodeState::rolled_back;
        if (state != NodeState::active && is_away(key, now)) ++progress.away;
        if (!failed || progress.failures.size() == limits::failures_per_progress) continue;
        auto const node = NodeName::parse(name);
        if (node) progress.failures.push_back({*node, state_.ledger.find(software, key)->why});
    }
    auto const turn = turn_of(state_.orders.for_all().find(OrderKind::share, software, release.entry.seq));
    if (release.info.rollout && turn) progress.rollout = progress_of(*release.info.rollout, *turn, nodes_in_rollout(release, turn, now));
    progress.stopped = stop_of(release);
    progress.superseded = state_.catalogue.newest(software)->entry.seq != release.entry.seq;
    return progress;
}

std::optional<std::string> Broker::note_on(Release const& release) const {
    if (auto const stop = stop_of(release)) {
        return fmt::format("{} by {}{}", stop->kind == OrderKind::pause ? "paused" : "withdrawn", stop->by, stop->why.empty() ? "" : ": " + stop->why);
    }
    auto const* share = state_.orders.for_all().find(OrderKind::share, release.info.software, release.entry.seq);
    if (share == nullptr || !release.info.rollout) return std::nullopt;
    auto const& stages = release.info.rollout->stages;
    auto const stage = std::min<std::uint64_t>(share->stage.value_or(0), stages.size() - 1);
    return fmt::format("rollout: stage {} of {}, {} of the nodes", stage + 1, stages.size(), share_text(stages[stage]));
}

void Broker::on_message(SessionId id, Session&, Follow const& message, Moment now) {
    auto const* release = message.version ? state_.catalogue.find(message.software, *message.version) : state_.catalogue.newest(message.software);
    if (release == nullptr) {
        return refuse(id, Refusal::invalid, fmt::format("there is no {}{} here", message.software.text(), message.version ? " " + message.version->text() : ""));
    }
    auto said = progress(*release, now.wall);
    send(id, said);
    followers_[id] = std::move(said);
}

// Only what has changed is said, and not before a rollout has drawn its conclusions from it.
void Broker::tell_followers(Moment now) {
    for (auto& [id, said] : followers_) {
        auto const* release = state_.catalogue.at(said.seq);
        if (release == nullptr || advancing_.contains(said.software)) continue;
        auto now_so = progress(*release, now.wall);
        if (now_so == said) continue;
        send(id, now_so);
        said = std::move(now_so);
    }
}

}  // namespace lull::broker
