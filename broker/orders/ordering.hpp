#pragma once

#include <deque>
#include <functional>
#include <optional>

#include "broker/fleet/sessions.hpp"
#include "broker/orders/beacon.hpp"

namespace lull::broker {

// A change of what is ordered about a software, to all nodes or to one.
struct OrderChange {
    std::optional<NodeName> node;
    OrderScope scope;
    std::function<void(OrderSet&)> apply;
    Continuation done;
};

// An operator's request, and where the answer is to be sent.
struct OrderRequest {
    SessionId session = 0;
    PeerKey peer;
    Admin message;
};

// An order that stands no more: its time has come, or a newer release has.
[[nodiscard]] bool is_over(Order const& order, Release const* newest, WallTime now);
// As an operator sees it.
[[nodiscard]] OrderRow order_row(ReleaseLog const& log, std::optional<NodeName> const& node, Order const& order);

// Orders are changed one after the other, and announced when they are durable.
class Ordering {
public:
    struct Parts {
        OrderBook& book;
        ReleaseLog const& log;
        Peers const& peers;
        Sessions const& sessions;
        Beacon& beacon;
    };
    Ordering(Parts parts, Effects& effects) : parts_(parts), effects_(effects) {}

    // `changed` is called after each change that is durable.
    void observe(std::function<void(Moment)> changed) { changed_ = std::move(changed); }

    void change(OrderChange change, Moment now);
    // An operator gives an order, or takes one back. `accepted_failures`: nodes on which the rollout has failed until
    // now; the operator who resumes the rollout accepts them.
    void give(OrderRequest const& request, Moment now);
    void take_back(OrderRequest const& request, std::uint64_t accepted_failures, Moment now);
    // Sends the orders whose revisions the node does not have.
    void send_missed(SessionId session, PeerKey const& node, std::uint64_t known, std::uint64_t known_own);
    // Removes holds that have ended: a node whose clock is years behind would keep to them for so long. Looks at a
    // bounded number of nodes.
    void drop_ended_holds(Moment now);

private:
    void make_next(Moment now);
    void announce(OrderChange const& change, std::uint64_t base, Moment now);
    [[nodiscard]] Result<Order> order_of(OrderRequest const& request, WallTime now) const;
    [[nodiscard]] Status check(Admin const& message, Order const& order) const;
    [[nodiscard]] Continuation answer(OrderRequest const& request, Order const& order);

    Parts parts_;
    Effects& effects_;
    std::function<void(Moment)> changed_;
    std::deque<OrderChange> changes_;  // while another one is on its way to the disk
    bool changing_ = false;
    std::optional<NodeName> looked_at_;  // the last node whose holds were looked at
};

}  // namespace lull::broker
