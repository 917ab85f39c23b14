#include <algorithm>

#include "broker/broker.hpp"

// What operators order the nodes to do, and how these hear of it.

namespace lull::broker {

namespace {

std::string order_text(Order const& order, std::string_view what, std::optional<NodeName> const& node) {
    auto text = fmt::format("{} {} of {}", what, to_text(order.kind), order.software ? order.software->text() : "all software");
    if (node) text += fmt::format(" on '{}'", node->text());
    if (!order.why.empty()) text += ": " + order.why;
    return text;
}

// What is over counts no more, and need not be kept.
bool is_over(Order const& order, Release const* newest, WallTime now) {
    if (order.until) return *order.until <= now;
    return order.seq && newest != nullptr && *order.seq != newest->entry.seq;
}

}  // namespace

// ---- one change after the other ----

// Nobody is told of an order before it is durable.
void Broker::change_orders(OrderChange change, Moment now) {
    order_changes_.push_back(std::move(change));
    make_next_order_change(now);
}

void Broker::make_next_order_change(Moment now) {
    if (ordering_ || order_changes_.empty()) return;
    auto change = std::move(order_changes_.front());
    order_changes_.pop_front();
    auto const& scope = change.scope;
    auto set = state_.orders.copy(change.node);
    auto const base = set.revision;
    auto const* newest = scope ? state_.catalogue.newest(*scope) : nullptr;
    std::erase_if(set.orders, [&](Order const& order) { return order.software == scope && is_over(order, newest, now.wall); });
    change.apply(set);
    set.revision = std::max(base + 1, static_cast<std::uint64_t>(std::max<std::int64_t>(0, now.wall.micros)));
    if (set.orders.size() > limits::orders_per_set || encode(set).size() > limits::order_set.count()) {
        change.done(fail(Fault::refused, "there are too many orders; take some back first ('lull orders' shows them)"), now);
        return make_next_order_change(now);
    }
    ordering_ = true;
    persist({OrderBook::change(change.node, set)}, [this, change, set, base](Status const& status, Moment then) {
        ordering_ = false;
        if (status) {
            state_.orders.adopt(change.node, set);
            announce_orders(change, base, then);
            next_rollout_look_ = then.point;  // who is paused or resumed goes on, and who follows hears of it
        }
        change.done(status, then);
        make_next_order_change(then);
    });
}

// A node whose clock is years behind would keep to them for so long.
void Broker::drop_ended_holds(Moment now) {
    auto const drop = [&](std::optional<NodeName> const& node, OrderSet const& set) {
        for (auto const& order : set.orders) {
            if (!order.until || *order.until > now.wall) continue;
            change_orders({node, order.software, [](OrderSet&) {}, [](Status const&, Moment) {}}, now);
        }
    };
    drop(std::nullopt, state_.orders.for_all());
    for (auto const& [node, set] : state_.orders.by_node()) drop(node, set);
}

// At once to everybody who listens; whoever does not sees it by the revision in HEAD, or is told when it says HELLO.
void Broker::announce_orders(OrderChange const& change, std::uint64_t base, Moment now) {
    // Said as a change, so that one that is late, on one of two ways, does not bring back what was said before.
    if (change.node) {
        auto const& set = *state_.orders.of(*change.node);
        Orders const message{change.node, set.revision, base, change.scope, set.of(change.scope)};
        out_.push_back(Announce{message});
        auto const key = state_.peers.key_of(*change.node);
        auto const session = key ? node_sessions_.find(*key) : node_sessions_.end();
        if (session != node_sessions_.end()) send(session->second, message);
        return;
    }
    auto const& set = state_.orders.for_all();
    out_.push_back(Announce{Orders{std::nullopt, set.revision, base, change.scope, set.of(change.scope)}});
    out_.push_back(SetWelcome{head(now.wall)});
}

void Broker::send_missed_orders(SessionId id, PeerKey const& node, std::uint64_t known, std::uint64_t known_own) {
    auto const& all = state_.orders.for_all();
    if (known != all.revision) send(id, Orders{std::nullopt, all.revision, std::nullopt, std::nullopt, all.orders});
    auto const* peer = state_.peers.find(node);
    auto const name = peer == nullptr ? Result<NodeName>(NodeName()) : NodeName::parse(peer->name);
    if (!name) return;
    auto const own = state_.orders.copy(*name);
    if (known_own != own.revision) send(id, Orders{*name, own.revision, std::nullopt, std::nullopt, own.orders});
}

// ---- operators ----

Result<Order> Broker::order_of(Admin const& message, PeerKey const& peer, WallTime now) const {
    if (!message.order) return fail(Fault::refused, "there is no order in this message");
    auto order = *message.order;
    auto const* newest = order.software ? state_.catalogue.newest(*order.software) : nullptr;
    if (order.software && newest == nullptr) return fail(Fault::refused, "there is no software named '{}' here", order.software->text());
    if (order.kind != OrderKind::hold && newest != nullptr) {
        if (order.seq.value_or(newest->entry.seq) != newest->entry.seq) {
            return fail(Fault::refused, "release {} of {} is superseded by {}; only the newest one can be ordered about", order.seq->value,
                        order.software->text(), newest->info.version.text());
        }
        order.seq = newest->entry.seq;
    }
    order.since = now;
    order.by = state_.peers.find(peer)->name.substr(0, limits::order_text);
    if (auto const valid = validate(order); !valid) return pass(valid.error());
    return order;
}

Status Broker::may_order(Admin const& message, Order const& order) const {
    bool const for_one = message.node.has_value();
    if (for_one && order.kind != OrderKind::hold && order.kind != OrderKind::force) {
        return fail(Fault::refused, "'{}' is for all nodes, not for one", to_text(order.kind));
    }
    if (order.kind == OrderKind::share) return fail(Fault::refused, "whose turn it is in a rollout is said by the release");
    if (order.kind == OrderKind::force && state_.orders.for_all().find(OrderKind::withdraw, *order.software, *order.seq) != nullptr) {
        return fail(Fault::refused, "this release of {} is withdrawn; publish another one, or roll back", order.software->text());
    }
    return {};
}

void Broker::give_order(SessionId id, Session const& session, Admin const& message, Moment now) {
    auto order = order_of(message, session.peer, now.wall);
    auto const allowed = order ? may_order(message, *order) : Status(pass(order.error()));
    if (!allowed) return refuse(id, Refusal::invalid, allowed.error().message);
    say(LogLevel::info, fmt::format("operator '{}' {}", order->by, order_text(*order, "orders", message.node)));
    auto apply = [order = *order](OrderSet& set) { set.put(order); };
    change_orders({message.node, order->software, std::move(apply), answer_order(id, message.verb, message.node, *order)}, now);
}

void Broker::take_order_back(SessionId id, Session const& session, Admin const& message, Moment now) {
    if (!message.order) return refuse(id, Refusal::invalid, "there is no order in this message");
    auto const kind = message.order->kind;
    auto const& scope = message.order->software;
    if (kind != OrderKind::hold && kind != OrderKind::pause) {
        return refuse(id, Refusal::invalid, fmt::format("'{}' cannot be taken back", to_text(kind)));
    }
    auto const set = state_.orders.copy(message.node);
    auto const* given = set.find(kind, scope);
    if (given == nullptr) {
        return refuse(id, Refusal::invalid, fmt::format("there is no {} of {}{}", to_text(kind), scope ? scope->text() : "all software",
                                                        message.node ? fmt::format(" on '{}'", message.node->text()) : ""));
    }
    say(LogLevel::info, fmt::format("operator '{}' {}", state_.peers.find(session.peer)->name, order_text(*given, "takes back the", message.node)));
    // Whoever goes on with a rollout that has halted accepts the nodes that have failed until now.
    auto const failed = kind == OrderKind::pause && scope ? failed_in_rollout(*scope, now) : 0;
    auto apply = [kind, scope, failed](OrderSet& changed) {
        changed.remove(kind, scope);
        auto const* share = kind == OrderKind::pause ? changed.find(OrderKind::share, scope) : nullptr;
        if (share == nullptr) return;
        auto accepted = *share;
        accepted.forgiven = failed;
        changed.put(std::move(accepted));
    };
    change_orders({message.node, scope, std::move(apply), answer_order(id, message.verb, message.node, *given)}, now);
}

Broker::Continuation Broker::answer_order(SessionId id, AdminVerb verb, std::optional<NodeName> const& node, Order const& order) {
    return [this, id, verb, node, order](Status const& status, Moment then) {
        if (!status) return refuse(id, Refusal::no_space, fmt::format("the order is not recorded: {}", status.error().message));
        Answer answer;
        answer.verb = verb;
        answer.time = then.wall;
        answer.orders.emplace().push_back(order_row(node, order));
        send(id, std::move(answer));
    };
}

OrderRow Broker::order_row(std::optional<NodeName> const& node, Order const& order) const {
    OrderRow row{node, order, std::nullopt};
    auto const* release = order.seq ? state_.catalogue.at(*order.seq) : nullptr;
    if (release != nullptr) row.version = release->info.version;
    return row;
}

// Those that still count.
std::vector<OrderRow> Broker::standing_orders(Admin const& message, WallTime now) const {
    std::vector<OrderRow> rows;
    auto const add = [&](std::optional<NodeName> const& node, OrderSet const& set) {
        if (message.node && node && *message.node != *node) return;
        for (auto const& order : set.orders) {
            if (message.software && order.software && *message.software != *order.software) continue;
            auto const* newest = order.software ? state_.catalogue.newest(*order.software) : nullptr;
            if (!is_over(order, newest, now)) rows.push_back(order_row(node, order));
        }
    };
    add(std::nullopt, state_.orders.for_all());
    for (auto const& [node, set] : state_.orders.by_node()) add(node, set);
    return rows;
}

}  // namespace lull::broker
