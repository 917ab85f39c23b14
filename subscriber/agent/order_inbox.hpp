#pragma once

#include <functional>

#include "subscriber/agent/activation_rules.hpp"
#include "subscriber/agent/effects.hpp"
#include "subscriber/agent/session.hpp"

namespace lull::subscriber {

// What operators order all nodes, and this one: heard by announcements, or as the broker's answer to HELLO or SYNC.
class OrderInbox {
public:
    // The orders of one software, or of all, have changed and are durable.
    using Changed = std::function<void(OrderScope const& about, Moment now)>;

    OrderInbox(NodeName node, StandingOrders orders, Effects& effects, Session& session, ActivationRules& rules);
    void on_change(Changed changed) { changed_ = std::move(changed); }

    // On the announce socket. What came in the session meanwhile may be newer.
    void announced(Orders const& message, Duration spread, Moment now);
    // In the session. It counts whatever its revision: a broker that was restored has lower ones.
    void heard(Orders const& message, Duration spread, Moment now);

    [[nodiscard]] StandingOrders const& orders() const { return orders_; }
    struct Revisions {
        std::uint64_t all = 0;
        std::uint64_t own = 0;
    };
    [[nodiscard]] Revisions revisions() const { return {orders_.all.revision, orders_.own.revision}; }
    [[nodiscard]] Revisions recorded() const { return recorded_; }

private:
    [[nodiscard]] OrderSet& set_of(Orders const& message) { return message.node ? orders_.own : orders_.all; }

    NodeName node_;
    StandingOrders orders_;
    Revisions recorded_;  // the durable ones
    Effects& effects_;
    Session& session_;
    ActivationRules& rules_;
    Changed changed_;
};

}  // namespace lull::subscriber
