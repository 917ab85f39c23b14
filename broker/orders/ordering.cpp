#include <algorithm>

#include "broker/orders/ordering.hpp"

// What operators order the nodes to do, and how these hear of it.

namespace lull::broker {

namespace {

std::string scope_text(OrderScope const& scope) { return scope ? scope->text() : "all software"; }

std::string order_text(Order const& order, std::string_view what, std::optional<NodeName> const& node) {
    auto text = fmt::format("{} {} of {}", what, to_text(order.kind), scope_text(order.software));
    if (node) text += fmt::format(" on '{}'", node->text());
    if (!order.why.empty()) text += ": " + order.why;
    return text;
}

constexpr std::size_t most_nodes_at_once = 1000;  // whose holds are looked at

}  // namespace

bool is_over(Order const& order, Release const* newest, WallTime now) {
    if (order.until) return *order.until <= now;
    return order.seq && newest != nullptr && *order.seq != newest->entry.seq;
}

OrderRow order_row(ReleaseLog const& log, std::optional<NodeName> const& node, Order const& order) {
    OrderRow row{node, order, std::nullopt};
    auto const* release = order.seq ? log.at(*order.seq) : nullptr;
    if (release != nullptr) row.version = release->info.version;
    return row;
}

// ---- one change after the other ----

// No node is told of an order before it is durable.
void Ordering::change(OrderChange change, Moment now) {
    changes_.push_back(std::move(change));
    make_next(now);
}

void Ordering::make_next(Moment now) {
    if (changing_ || changes_.empty()) return;
    auto change = std::move(changes_.front());
    changes_.pop_front();
    auto const& scope = change.scope;
    if (change.node && !parts_.peers.key_of(*change.node)) {
        change.done(fail(Fault::refused, "node '{}' was removed meanwhile", change.node->text()), now);
        return make_next(now);
    }
    auto set = parts_.book.copy(change.node);
    auto const base = set.revision;
    auto const* newest = scope ? parts_.log.newest(*scope) : nullptr;
    std::erase_if(set.orders,
                  [&](Order const& order) { return order.software == scope && is_over(order, newest, now.wall); });
    change.apply(set);
    set.revision = std::max(base + 1, static_cast<std::uint64_t>(std::max<std::int64_t>(0, now.wall.micros)));
    if (set.orders.size() > limits::orders_per_set || encode(set).size() > limits::order_set.count()) {
        change.done(fail(Fault::refused, "there are too many orders; take some back first ('lull orders' shows them)"),
                    now);
        return make_next(now);
    }
    changing_ = true;
    effects_.persist({OrderBook::change(change.node, set)},
                     [this, change, set, base](Status const& status, Moment then) {
                         changing_ = false;
                         if (status) {
                             parts_.book.adopt(change.node, set);
                             announce(change, base, then);
                             if (changed_) changed_(then);
                         }
                         change.done(status, then);
                         make_next(then);
                     });
}

void Ordering::drop_ended_holds(Moment now) {
    if (changing_) return;
    auto const drop = [&](std::optional<NodeName> const& node, OrderSet const& set) {
        for (auto const& order : std::vector(set.orders)) {
            if (!order.until || *order.until > now.wall) continue;
            change({node, order.software, [](OrderSet&) {}, [](Status const&, Moment) {}}, now);
        }
    };
    drop(std::nullopt, parts_.book.for_all());
    auto const& nodes = parts_.book.by_node();
    auto next = looked_at_ ? nodes.upper_bound(*looked_at_) : nodes.begin();
    looked_at_.reset();
    for (std::size_t i = 0; next != nodes.end(); ++next) {
        if (++i > most_nodes_at_once) return;
        looked_at_ = next->first;
        drop(next->first, next->second);
    }
    looked_at_.reset();
}

// At once to every subscriber. A node that misses it sees that by the revision in HEAD, or is told when it sends HELLO.
void Ordering::announce(OrderChange const& change, std::uint64_t base, Moment now) {
    // Sent as a change, so that one that is late, on one of two routes, does not bring back what was said before.
    auto const set = parts_.book.copy(change.node);
    Orders const message{change.node, set.revision, base, change.scope, set.of(change.scope)};
    effects_.act(Announce{message});
    if (!change.node) return parts_.beacon.set_welcome(now.wall);
    auto const key = parts_.peers.key_of(*change.node);
    if (auto const session = key ? parts_.sessions.session_of(*key) : std::nullopt) effects_.send(*session, message);
}

void Ordering::send_missed(SessionId session, PeerKey const& node, std::uint64_t known, std::uint64_t known_own) {
    auto const& all = parts_.book.for_all();
    if (known != all.revision)
        effects_.send(session, Orders{std::nullopt, all.revision, std::nullopt, std::nullopt, all.orders});
    auto const* peer = parts_.peers.find(node);
    auto const name = peer == nullptr ? Result<NodeName>(NodeName()) : NodeName::parse(peer->name);
    if (!name) return;
    auto const own = parts_.book.copy(*name);
    if (known_own != own.revision)
        effects_.send(session, Orders{*name, own.revision, std::nullopt, std::nullopt, own.orders});
}

// ---- operators ----

Result<Order> Ordering::order_of(OrderRequest const& request, WallTime now) const {
    if (!request.message.order) return fail(Fault::refused, "there is no order in this message");
    auto order = *request.message.order;
    auto const* newest = order.software ? parts_.log.newest(*order.software) : nullptr;
    if (order.software && newest == nullptr)
        return fail(Fault::refused, "there is no software named '{}' here", order.software->text());
    if (order.kind != OrderKind::hold && newest != nullptr) {
        if (order.seq.value_or(newest->entry.seq) != newest->entry.seq) {
            return fail(Fault::refused,
                        "release {} of {} is superseded by {}; only the newest one can be ordered about",
                        order.seq->value, order.software->text(), newest->info.version.text());
        }
        order.seq = newest->entry.seq;
    }
    order.since = now;
    order.by = parts_.peers.find(request.peer)->name.substr(0, limits::order_text);
    if (auto const valid = validate(order); !valid) return pass(valid.error());
    return order;
}

Status Ordering::check(Admin const& message, Order const& order) const {
    bool const for_one = message.node.has_value();
    bool const is_for_any = order.kind == OrderKind::hold || order.kind == OrderKind::force ||
                            order.kind == OrderKind::retry;
    if (for_one && !is_for_any) return fail(Fault::refused, "'{}' is for all nodes, not for one", to_text(order.kind));
    if (order.kind == OrderKind::share)
        return fail(Fault::refused, "whose turn it is in a rollout is said by the release");
    bool const makes_live = order.kind == OrderKind::force || order.kind == OrderKind::retry;
    if (makes_live && parts_.book.for_all().find(OrderKind::withdraw, *order.software, *order.seq) != nullptr) {
        return fail(Fault::refused, "this release of {} is withdrawn; publish another one, or roll back",
                    order.software->text());
    }
    return {};
}

void Ordering::give(OrderRequest const& request, Moment now) {
    auto const& message = request.message;
    auto order = order_of(request, now.wall);
    auto const allowed = order ? check(message, *order) : Status(pass(order.error()));
    if (!allowed) return effects_.refuse(request.session, Refusal::invalid, allowed.error().message);
    effects_.say(LogLevel::info,
                 fmt::format("operator '{}' {}", order->by, order_text(*order, "orders", message.node)));
    auto apply = [order = *order](OrderSet& set) { set.put(order); };
    change({message.node, order->software, std::move(apply), answer(request, *order)}, now);
}

void Ordering::take_back(OrderRequest const& request, std::uint64_t accepted_failures, Moment now) {
    auto const refuse = [&](std::string text) { effects_.refuse(request.session, Refusal::invalid, std::move(text)); };
    auto const& message = request.message;
    if (!message.order) return refuse("there is no order in this message");
    auto const kind = message.order->kind;
    auto const& scope = message.order->software;
    if (kind != OrderKind::hold && kind != OrderKind::pause)
        return refuse(fmt::format("'{}' cannot be taken back", to_text(kind)));
    auto const set = parts_.book.copy(message.node);
    auto const* given = set.find(kind, scope);
    if (given == nullptr) {
        return refuse(fmt::format("there is no {} of {}{}", to_text(kind), scope_text(scope),
                                  message.node ? fmt::format(" on '{}'", message.node->text()) : ""));
    }
    effects_.say(LogLevel::info, fmt::format("operator '{}' {}", parts_.peers.find(request.peer)->name,
                                             order_text(*given, "takes back the", message.node)));
    auto apply = [kind, scope, accepted_failures](OrderSet& changed) {
        changed.remove(kind, scope);
        auto const* share = kind == OrderKind::pause ? changed.find(OrderKind::share, scope) : nullptr;
        if (share == nullptr) return;
        auto accepted = *share;
        accepted.accepted_failures = accepted_failures;
        changed.put(std::move(accepted));
    };
    change({message.node, scope, std::move(apply), answer(request, *given)}, now);
}

Continuation Ordering::answer(OrderRequest const& request, Order const& order) {
    return [this, session = request.session, verb = request.message.verb, node = request.message.node, order](
               Status const& status, Moment then) {
        if (!status) {
            return effects_.refuse(session, Refusal::no_space,
                                   fmt::format("the order is not recorded: {}", status.error().message));
        }
        Answer answer;
        answer.verb = verb;
        answer.time = then.wall;
        answer.orders.emplace().push_back(order_row(parts_.log, node, order));
        effects_.send(session, std::move(answer));
    };
}

}  // namespace lull::broker
