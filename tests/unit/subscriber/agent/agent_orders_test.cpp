#include <catch2/catch.hpp>

#include "tests/unit/subscriber/agent/orders_bench.hpp"

namespace agent_orders_test {

// How the agent hears of orders, keeps them, and finds out that it has missed some.

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;
using namespace std::chrono_literals;

namespace {

// Nobody uses release 1, and release 2 is ready and held by an order of revision 5.
struct Held : Bench {
    Held() {
        check_in();
        record(1);
        to_active(1);
        ordered(*this, for_all(5, {order(OrderKind::hold)}));
        record(2);
        to_staged(2);
        all_durable();
        REQUIRE(state().phase == Phase::held);
    }
};

Orders change(std::uint64_t base, std::uint64_t revision, std::vector<Order> orders, OrderScope about = software()) {
    return {std::nullopt, revision, base, std::move(about), std::move(orders)};
}

bool complains(Actions const& actions, std::string_view text) {
    auto const words = all<Say>(actions);
    return std::ranges::any_of(words, [&](Say const& say) {
        return say.level == LogLevel::error && say.text.find(text) != std::string::npos;
    });
}

}  // namespace

TEST_CASE("an order counts when it is durable and not before") {
    Held bench;
    auto const heard = bench.on(AnnouncementHeard{change(5, 6, {})});
    auto const persist = only<Persist>(heard);
    REQUIRE(persist.batch.size() == 1);
    CHECK(persist.batch[0].table == journal::meta);
    CHECK_FALSE(any<ProbeUse>(heard));
    bench.pass(1s);
    CHECK_FALSE(any<ProbeUse>(bench.on(Tick{})));
    CHECK(any<ProbeUse>(bench.all_durable()));
}

TEST_CASE("HELLO and SYNC tell of the orders that are durable, and of those that are on their way") {
    Bench bench;
    CHECK(any<OpenExchange>(bench.start()));
    bench.on(AnnouncementHeard{for_all(5, {})});
    bench.on(AnnouncementHeard{for_node(7, {})});
    auto hello = sent<Hello>(bench.on(ExchangeReady{}));
    REQUIRE(hello.size() == 1);
    CHECK(hello[0].orders == 0);
    CHECK(hello[0].own_orders == 0);
    bench.all_durable();
    bench.on(ExchangeLost{"cable"});
    CHECK(any<OpenExchange>(bench.idle(20min)));
    hello = sent<Hello>(bench.on(ExchangeReady{}));
    REQUIRE(hello.size() == 1);
    CHECK(hello[0].orders == 5);
    CHECK(hello[0].own_orders == 7);
}

TEST_CASE("orders outlive the daemon") {
    Held before;
    auto after = restarted(before, 1);
    CHECK(any<OpenExchange>(after.start()));
    after.all_durable();
    CHECK(after.state().phase == Phase::held);
    CHECK(after.state().why.find("held by operator anna") == 0);
    CHECK(sent<Hello>(after.on(ExchangeReady{})).at(0).orders == 5);
}

TEST_CASE("a change of what this node does not have changes nothing, and is asked for") {
    Held bench;
    auto const actions = bench.on(AnnouncementHeard{change(4, 6, {})});
    CHECK_FALSE(any<Persist>(actions));
    auto const sync = sent<Sync>(actions);
    REQUIRE(sync.size() == 1);
    CHECK(sync[0].orders == 5);
    CHECK(sync[0].own_orders == 0);
    CHECK(bench.agent.state().orders.revision == 5);
    CHECK(bench.state().phase == Phase::held);

    bench.hear(for_all(6, {}));
    bench.hear(LogPage{epoch, Seq{2}, {}, Seq{2}});
    CHECK(any<ProbeUse>(bench.all_durable()));
    CHECK(bench.agent.state().orders.revision == 6);
}

TEST_CASE("a HEAD with another revision of orders opens the exchange, one with the same does not") {
    Bench bench;
    bench.check_in();
    bench.idle(5min);
    REQUIRE(bench.agent.link().state() == Link::State::closed);
    CHECK_FALSE(any<OpenExchange>(bench.on(AnnouncementHeard{Head{epoch, Seq{}, bench.now.wall, 0, std::nullopt}})));
    CHECK(any<OpenExchange>(bench.on(AnnouncementHeard{Head{epoch, Seq{}, bench.now.wall, 0, 5}})));
    bench.on(ExchangeReady{});
    bench.hear(for_all(5, {order(OrderKind::hold)}));
    bench.hear(Welcome{epoch, Seq{}, bench.now.wall});
    bench.all_durable();
    bench.hear(LogPage{epoch, Seq{}, {}, Seq{}});
    CHECK(bench.agent.state().orders.revision == 5);
    bench.idle(5min);
    REQUIRE(bench.agent.link().state() == Link::State::closed);
    CHECK_FALSE(any<OpenExchange>(bench.on(AnnouncementHeard{Head{epoch, Seq{}, bench.now.wall, 0, 5}})));
    CHECK(any<OpenExchange>(
        bench.on(AnnouncementHeard{Head{epoch, Seq{}, bench.now.wall, 0, std::nullopt}})));  // the broker has lost them
}

TEST_CASE("a revision that is here already changes nothing") {
    Held bench;
    CHECK_FALSE(any<Persist>(bench.on(AnnouncementHeard{for_all(5, {})})));
    CHECK_FALSE(any<Persist>(bench.hear(for_all(5, {}))));
    CHECK(sent<Sync>(bench.on(AnnouncementHeard{change(4, 5, {})})).empty());
    CHECK(bench.agent.state().orders.orders.size() == 1);
}

// Orders for one node come twice, by two connections of which neither waits for the other.
TEST_CASE("an announcement that comes late does not bring back what was ordered before") {
    Held bench;
    bench.hear(for_node(9, {order(OrderKind::hold)}));
    bench.hear(for_node(10, {order(OrderKind::force)}));
    bench.all_durable();
    CHECK_FALSE(any<Persist>(bench.on(AnnouncementHeard{for_node(9, {order(OrderKind::hold)})})));
    CHECK(bench.agent.state().own_orders.revision == 10);
    auto const late = bench.on(AnnouncementHeard{change(3, 4, {})});
    CHECK_FALSE(any<Persist>(late));
    CHECK(sent<Sync>(late).empty());
}

TEST_CASE("what the broker says in the session counts, also if it was restored and has lower revisions") {
    Held bench;
    bench.hear(for_all(3, {}));
    CHECK(any<ProbeUse>(bench.all_durable()));
    CHECK(bench.agent.state().orders.revision == 3);
    CHECK(sent<Sync>(bench.on(AnnouncementHeard{Head{epoch, Seq{2}, bench.now.wall, 0, 3}})).empty());
}

TEST_CASE("orders for another node are ignored, those for this one are kept beside the others") {
    Held bench;
    CHECK_FALSE(any<Persist>(bench.on(AnnouncementHeard{for_node(9, {order(OrderKind::force)}, "till-18")})));
    CHECK_FALSE(any<Persist>(bench.hear(for_node(9, {order(OrderKind::force)}, "till-18"))));
    CHECK(bench.agent.state().own_orders == OrderSet());
    CHECK(any<ProbeUse>(ordered(bench, for_node(9, {order(OrderKind::force)}))));
    CHECK(bench.agent.state().own_orders.revision == 9);
    CHECK(bench.agent.state().orders.revision == 5);
}

TEST_CASE("orders of which one makes no sense are left aside, all of them") {
    Held bench;
    auto senseless = order(OrderKind::force);
    senseless.seq.reset();
    auto const actions = bench.on(AnnouncementHeard{change(5, 6, {order(OrderKind::pause), senseless})});
    CHECK(complains(actions, "orders are ignored"));
    CHECK_FALSE(any<Persist>(actions));
    CHECK(bench.agent.state().orders.revision == 5);
    CHECK(bench.state().phase == Phase::held);
}

TEST_CASE("a change replaces what is said of one software and leaves the rest") {
    Bench bench;
    bench.check_in();
    ordered(bench, for_all(5, {order(OrderKind::hold), order(OrderKind::hold, 2, software("other")),
                               order(OrderKind::hold, 2, std::nullopt)}));
    ordered(bench, change(5, 6, {order(OrderKind::pause)}));
    auto orders = bench.agent.state().orders;
    CHECK(orders.of(software()) == std::vector{order(OrderKind::pause)});
    CHECK(orders.of(software("other")).size() == 1);
    CHECK(orders.of(std::nullopt).size() == 1);
    ordered(bench, change(6, 7, {}, std::nullopt));
    orders = bench.agent.state().orders;
    CHECK(orders.of(std::nullopt).empty());
    CHECK(orders.orders.size() == 2);
}

TEST_CASE("of two sets on their way to the disk each counts when it has got there") {
    Held bench;
    bench.on(AnnouncementHeard{change(5, 6, {})});
    bench.on(AnnouncementHeard{for_node(9, {order(OrderKind::hold)})});
    bench.one_durable();
    CHECK(bench.state().phase == Phase::staged);  // the hold for all is gone, the other one is not durable
    bench.one_durable();
    CHECK(bench.state().phase == Phase::held);
    CHECK_FALSE(any<ProbeUse>(bench.all_durable()));
}

TEST_CASE("an order about one software disturbs no other one") {
    Bench bench;
    second_staged(bench);
    bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, ""});
    bench.all_durable();
    CHECK(any<ProbeUse>(ordered(bench, for_node(1, {}))));  // a whole set is about everything
    bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, ""});
    bench.all_durable();
    CHECK_FALSE(
        any<ProbeUse>(ordered(bench, change(0, 6, {order(OrderKind::hold, 2, software("other"))}, software("other")))));
    CHECK(any<ProbeUse>(ordered(bench, change(6, 7, {}, std::nullopt))));
}

}  // namespace agent_orders_test
