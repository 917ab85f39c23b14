#include "schema/order.hpp"

#include <catch2/catch.hpp>

#include "schema/limits.hpp"
#include "tests/unit/schema/samples.hpp"

namespace order_test {

using namespace lull;
using namespace lull::test;

namespace {

auto const kiosk = named<SoftwareName>("kiosk");
auto const till = named<SoftwareName>("till");

Order order(OrderKind kind, OrderScope software = kiosk, std::optional<Seq> seq = Seq{8}) {
    Order order;
    order.kind = kind;
    order.software = std::move(software);
    if (kind != OrderKind::hold) order.seq = seq;
    order.by = "anna";
    return order;
}

void check_refused(Order const& order, std::string const& reason) {
    auto const status = validate(order);
    REQUIRE_FALSE(status.has_value());
    CHECK(status.error().fault == Fault::refused);
    CHECK(status.error().message.find(reason) != std::string::npos);
}

}  // namespace

TEST_CASE("one order of each kind stands for a software, and one for all of it") {
    OrderSet set;
    set.put(order(OrderKind::hold));
    set.put(order(OrderKind::hold, std::nullopt));
    set.put(order(OrderKind::force));
    set.put(order(OrderKind::hold, till));
    CHECK(set.orders.size() == 4);

    auto again = order(OrderKind::hold);
    again.why = "another reason";
    set.put(again);
    CHECK(set.orders.size() == 4);
    CHECK(*set.find(OrderKind::hold, kiosk) == again);
    CHECK(set.find(OrderKind::hold, OrderScope())->why.empty());
    CHECK(set.find(OrderKind::hold, till)->why.empty());
    CHECK(set.revision == 0);  // is for whoever makes it durable
}

TEST_CASE("an order about a release is none about another one") {
    OrderSet set;
    set.put(order(OrderKind::force));
    CHECK(set.find(OrderKind::force, kiosk, Seq{8}) != nullptr);
    CHECK(set.find(OrderKind::force, kiosk, Seq{9}) == nullptr);
    CHECK(set.find(OrderKind::force, till, Seq{8}) == nullptr);
    CHECK(set.find(OrderKind::withdraw, kiosk, Seq{8}) == nullptr);
    CHECK(set.find(OrderKind::force, OrderScope()) == nullptr);
}

TEST_CASE("taking an order out leaves the others") {
    OrderSet set;
    set.put(order(OrderKind::hold));
    set.put(order(OrderKind::pause));
    CHECK_FALSE(set.remove(OrderKind::hold, till));
    CHECK_FALSE(set.remove(OrderKind::hold, std::nullopt));
    CHECK(set.remove(OrderKind::hold, kiosk));
    CHECK_FALSE(set.remove(OrderKind::hold, kiosk));
    CHECK(set.find(OrderKind::pause, kiosk) != nullptr);
}

TEST_CASE("a change replaces all that is said of one software and nothing else") {
    OrderSet set;
    set.put(order(OrderKind::hold));
    set.put(order(OrderKind::pause));
    set.put(order(OrderKind::hold, till));
    set.put(order(OrderKind::hold, std::nullopt));
    set.replace(kiosk, {order(OrderKind::withdraw)});
    CHECK(set.of(kiosk) == std::vector{order(OrderKind::withdraw)});
    CHECK(set.of(till).size() == 1);
    set.replace(std::nullopt, {});
    CHECK(set.of(std::nullopt).empty());
    CHECK(set.orders.size() == 2);
}

TEST_CASE("an order holds what belongs to its kind") {
    auto hold = order(OrderKind::hold, std::nullopt);
    hold.until = WallTime{5};
    CHECK(validate(hold));
    hold.seq = Seq{8};
    check_refused(hold, "not about a release");
    auto share = order(OrderKind::share);
    check_refused(share, "whose turn it is");
    share.upto = 0;
    CHECK(validate(share));
    for (auto const kind : {OrderKind::force, OrderKind::pause, OrderKind::withdraw, OrderKind::share}) {
        auto given = order(kind);
        given.upto = 1;
        CHECK(validate(given));
        given.until = WallTime{5};
        check_refused(given, "does not end by itself");
        check_refused(order(kind, std::nullopt), "names no release");
        check_refused(order(kind, kiosk, std::nullopt), "names no release");
    }
}

TEST_CASE("the words of an order have a bound") {
    auto given = order(OrderKind::hold);
    given.why = std::string(limits::order_text, 'w');
    given.by = given.why;
    CHECK(validate(given));
    given.why += 'w';
    check_refused(given, "longer than 256");
    given.why.clear();
    given.by += 'b';
    check_refused(given, "longer than 256");
}

TEST_CASE("the most orders that a set may hold fit into a message") {
    OrderSet set;
    auto given = order(OrderKind::share, named<SoftwareName>(std::string(64, 's')),
                       Seq{std::numeric_limits<std::uint64_t>::max()});
    given.upto = given.stage = given.accepted_failures = std::numeric_limits<std::uint64_t>::max();
    given.since = WallTime{std::numeric_limits<std::int64_t>::max()};
    given.by = std::string(limits::order_text, 'b');
    while (encode(set).size() <= limits::order_set.count()) set.orders.push_back(given);
    set.orders.pop_back();
    Orders const message{named<NodeName>(std::string(63, 'n')), 1, 1, given.software, set.orders};
    CHECK(encode(message).size() < limits::control_message.count());
    CHECK(decode<OrderSet>(encode(set), limits::control_message) == set);
}

}  // namespace order_test
