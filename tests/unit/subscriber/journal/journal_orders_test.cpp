#include <catch2/catch.hpp>

#include "fixture.hpp"
#include "subscriber/journal/journal.hpp"

// Orders in the journal: those for all nodes, and those for this one.

namespace lull::subscriber::test::journal_orders_test {

namespace {

OrderSet set_of(std::uint64_t revision) {
    OrderSet set;
    set.revision = revision;
    Order order;
    order.kind = OrderKind::withdraw;
    order.software = software("app");
    order.seq = Seq{8};
    order.by = "anna";
    set.put(order);
    return set;
}

}  // namespace

TEST_CASE("orders are found again after a start, each in its place, and a journal without any has none") {
    Node node;
    auto journal = journal::open(node.layout, journal::Access::write).value();
    CHECK(journal::load(journal)->orders == OrderSet());
    CHECK(journal::load(journal)->own_orders == OrderSet());
    REQUIRE(journal.apply({journal::put_orders(set_of(5)), journal::put_own_orders(set_of(6))}));
    CHECK(journal::load(journal)->orders == set_of(5));
    CHECK(journal::load(journal)->own_orders == set_of(6));
    REQUIRE(journal.apply({journal::put_orders(set_of(7))}));
    CHECK(journal::load(journal)->orders == set_of(7));
    CHECK(journal::load(journal)->own_orders == set_of(6));
}

TEST_CASE("orders that are damaged in the journal are an error that names the table") {
    Node node;
    auto journal = journal::open(node.layout, journal::Access::write).value();
    auto change = GENERATE(journal::put_orders(set_of(5)), journal::put_own_orders(set_of(5)));
    change.value = to_buffer(as_view("\xc1"));
    REQUIRE(journal.apply({change}));
    auto const loaded = journal::load(journal);
    REQUIRE_FALSE(loaded.has_value());
    CHECK(loaded.error().fault == Fault::damaged);
    CHECK(loaded.error().message.find("meta") != std::string::npos);
}

}  // namespace lull::subscriber::test::journal_orders_test
