#include "subscriber/agent/order_inbox.hpp"

#include <algorithm>

#include "subscriber/journal/journal.hpp"

namespace lull::subscriber {

OrderInbox::OrderInbox(NodeName node, StandingOrders orders, Effects& effects, Session& session, ActivationRules& rules)
    : node_(std::move(node)),
      orders_(std::move(orders)),
      recorded_(revisions()),
      effects_(effects),
      session_(session),
      rules_(rules) {}

void OrderInbox::announced(Orders const& message, Duration spread, Moment now) {
    if (message.revision >= set_of(message).revision) heard(message, spread, now);
}

void OrderInbox::heard(Orders const& message, Duration spread, Moment now) {
    if (message.node && *message.node != node_) return;
    auto& set = set_of(message);
    if (set.revision == message.revision) return;
    if (message.base && *message.base != set.revision) return session_.gap(now, spread);  // one before it was missed
    auto const bad = std::ranges::find_if(message.orders, [](Order const& order) { return !validate(order); });
    if (bad != message.orders.end()) {
        return effects_.log(LogLevel::error, fmt::format("orders are ignored: {}", validate(*bad).error().message));
    }
    session_.useful(now);
    if (message.base) {
        set.replace(message.changed, message.orders);
    } else {
        set.orders = message.orders;
    }
    set.revision = message.revision;
    auto change = message.node ? journal::put_own_orders(set) : journal::put_orders(set);
    auto about = message.base ? message.changed : OrderScope();
    // They count when they are durable: a start after a crash must not fall back behind what was done by them.
    effects_.persist({std::move(change)}, [this, orders = orders_, about = std::move(about)](Moment then) {
        recorded_ = {orders.all.revision, orders.own.revision};
        rules_.set(orders);
        changed_(about, then);
    });
}

}  // namespace lull::subscriber
