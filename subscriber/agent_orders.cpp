#include <algorithm>

#include "subscriber/agent.hpp"

// What the agent hears of operators' orders: by announcements, or by the broker's answer to HELLO or SYNC if it has missed some.

namespace lull::subscriber {

// What the session has said meanwhile is newer. It counts there whatever its revision: a broker that was restored has lower ones.
void Agent::announced(Orders const& message, Moment now) {
    auto const& set = message.node ? state_.own_orders : state_.orders;
    if (message.revision >= set.revision) on_message(message, now);
}

void Agent::on_message(Orders const& message, Moment now) {
    if (message.node && *message.node != settings_.node) return;
    auto& set = message.node ? state_.own_orders : state_.orders;
    if (set.revision == message.revision) return;
    if (message.base && *message.base != set.revision) return link_.gap(now.point, spread_);  // one before it was missed
    auto const bad = std::ranges::find_if(message.orders, [](Order const& order) { return !validate(order); });
    if (bad != message.orders.end()) return say(LogLevel::error, fmt::format("orders are left aside: {}", validate(*bad).error().message));
    link_.useful(now.point);
    if (message.base) {
        set.replace(message.changed, message.orders);
    } else {
        set.orders = message.orders;
    }
    set.revision = message.revision;
    auto change = message.node ? journal::put_own_orders(set) : journal::put_orders(set);
    // They count when they are durable: a start after a crash must not fall back behind what was done by them.
    persist({std::move(change)}, [this, orders = StandingOrders{state_.orders, state_.own_orders}, message](Moment then) {
        recorded_orders_ = orders.all.revision;
        recorded_own_orders_ = orders.own.revision;
        rules_.set(orders);
        pursue_ordered(message, then);
    });
}

// Whoever is ordered about looks again, from wherever it is on its way to become live.
void Agent::pursue_ordered(Orders const& message, Moment now) {
    bool const about_one = message.base && message.changed;
    for (auto const& [software, record] : state_.software) {
        if (about_one && *message.changed != software) continue;
        switch (record.phase) {
            case Phase::announced:
            case Phase::fetching:
            case Phase::staged:
            case Phase::waiting:
            case Phase::held:
            case Phase::in_line: pursue(software, now); break;
            default: break;
        }
    }
}

}  // namespace lull::subscriber
