#include "broker/orders/order_book.hpp"

#include <catch2/catch.hpp>

#include "broker_fixture.hpp"

namespace order_book_test {

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

OrderSet set_of(std::uint64_t revision) {
    OrderSet set;
    set.revision = revision;
    Order hold;
    hold.by = "anna";
    set.put(hold);
    return set;
}

Status load(OrderBook& book, store::Change const& change) { return book.load(change.key, *change.value); }

}  // namespace

TEST_CASE("orders for all and for one node are kept apart, and found again after a start") {
    OrderBook book;
    REQUIRE(load(book, OrderBook::change(std::nullopt, set_of(5))));
    REQUIRE(load(book, OrderBook::change(node_name("till-17"), set_of(6))));
    CHECK(book.for_all() == set_of(5));
    REQUIRE(book.of(node_name("till-17")) != nullptr);
    CHECK(*book.of(node_name("till-17")) == set_of(6));
    CHECK(book.of(node_name("till-18")) == nullptr);
    CHECK(book.by_node().size() == 1);
}

TEST_CASE("a copy that is changed changes nothing in the book before it is adopted") {
    OrderBook book;
    auto copy = book.copy(std::nullopt);
    CHECK(copy == OrderSet());
    copy = set_of(5);
    CHECK(book.for_all() == OrderSet());
    book.adopt(std::nullopt, copy);
    CHECK(book.copy(std::nullopt) == set_of(5));

    CHECK(book.copy(node_name("till-17")) == OrderSet());
    CHECK(book.of(node_name("till-17")) == nullptr);
    book.adopt(node_name("till-17"), set_of(6));
    CHECK(book.copy(node_name("till-17")) == set_of(6));
    CHECK(book.for_all() == set_of(5));
}

TEST_CASE("a row that is damaged is said to be, and of which table") {
    OrderBook book;
    auto const good = OrderBook::change(node_name("till-17"), set_of(6));
    auto const refused = [&](View key, View value) {
        auto const status = book.load(key, value);
        REQUIRE_FALSE(status.has_value());
        CHECK(status.error().fault == Fault::damaged);
        CHECK(status.error().message.find("table 'orders'") != std::string::npos);
    };
    refused(good.key, as_view("\xc1"));
    refused(good.key, {});
    refused(good.key, View(*good.value).first(good.value->size() - 1));
    refused(as_view("../x"), *good.value);
    refused({}, *good.value);
    refused(as_view("@all "), *good.value);
    CHECK(book.by_node().empty());
    CHECK(book.for_all() == OrderSet());
}

}  // namespace order_book_test
