#include "subscriber/agent/order_inbox.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/subscriber/agent/surroundings.hpp"

namespace order_inbox_test {

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;

namespace {

struct Inbox : Around {
    Inbox() {
        inbox.on_change([this](OrderScope const& about, Moment) { changes.push_back(about); });
    }
    Actions hear(Orders const& orders) {
        inbox.heard(orders, Duration::zero(), now);
        return effects.take();
    }
    std::vector<OrderScope> changes;
    OrderInbox inbox{*NodeName::parse("till-17"), {}, effects, session, rules};
};

}  // namespace

TEST_CASE("orders count when they are durable, and not before") {
    Inbox inbox;
    auto const actions = inbox.hear(for_all(4, {order(OrderKind::withdraw)}));
    CHECK(inbox.changes.empty());
    CHECK_FALSE(inbox.rules.withdrawn(inbox.target.info, Seq{2}));
    CHECK(inbox.inbox.recorded().all == 0);
    all_durable(inbox.effects, actions, inbox.now);
    CHECK(inbox.changes == std::vector<OrderScope>{std::nullopt});
    CHECK(inbox.rules.withdrawn(inbox.target.info, Seq{2}));
    CHECK(inbox.inbox.recorded().all == 4);
}

TEST_CASE("a change of the orders of one software names it") {
    Inbox inbox;
    all_durable(inbox.effects, inbox.hear(for_all(1, {})), inbox.now);
    auto change = for_all(2, {order(OrderKind::withdraw)});
    change.base = 1;
    change.changed = software();
    all_durable(inbox.effects, inbox.hear(change), inbox.now);
    CHECK(inbox.changes.back() == software());
}

TEST_CASE("a change of a set that is not here is asked for, and orders of other nodes are left out") {
    Inbox inbox;
    auto change = for_all(9, {});
    change.base = 8;
    CHECK(inbox.hear(change).empty());
    CHECK(inbox.session.catching_up(inbox.now));
    CHECK(inbox.hear(for_node(3, {order(OrderKind::withdraw)}, "till-18")).empty());
}

TEST_CASE("an announcement of older orders than those of the session is left out") {
    Inbox inbox;
    inbox.hear(for_all(4, {}));
    inbox.inbox.announced(for_all(3, {order(OrderKind::withdraw)}), Duration::zero(), inbox.now);
    CHECK(inbox.effects.take().empty());
    CHECK(inbox.inbox.revisions().all == 4);
}

}  // namespace order_inbox_test
