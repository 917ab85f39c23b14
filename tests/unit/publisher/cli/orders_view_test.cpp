#include "publisher/cli/orders_view.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/publisher/cli/view_times.hpp"

namespace orders_view_test {

using namespace lull;
using namespace lull::publisher;
using lull::publisher::test::today;
using lull::publisher::test::Utc;

namespace {

OrderRow row(OrderKind kind) {
    OrderRow row;
    row.order.kind = kind;
    row.order.since = today(9, 12);
    row.order.by = "anna";
    return row;
}

OrderRow forced() {
    auto made = row(OrderKind::force);
    made.node = NodeName::parse("till-17").value();
    made.order.software = SoftwareName::parse("kiosk").value();
    made.order.seq = Seq{8};
    made.order.restart = true;
    made.version = VersionName::parse("1.4.3").value();
    return made;
}

OrderRow held() {
    auto made = row(OrderKind::hold);
    made.order.until = today(18, 0);
    made.order.why = "inventory\x1b[2J";
    return made;
}

OrderRow shared() {
    auto made = row(OrderKind::share);
    made.order.software = SoftwareName::parse("kiosk").value();
    made.order.seq = Seq{8};
    made.order.by = "rollout";
    made.order.stage = 1;
    made.order.upto = 77;
    made.version = VersionName::parse("1.4.3").value();
    return made;
}

Answer answer() {
    Utc const utc;
    Answer made;
    made.time = today(11, 0);
    made.orders = {held(), shared(), forced()};
    return made;
}

}  // namespace

TEST_CASE("orders are a table of what is ordered, about what, to whom, by whom, since when") {
    CHECK(orders_text(answer(), Painting::off) ==
          "ORDER    WHAT          NODE     BY       SINCE  DETAILS\n"
          "hold     all software  all      anna     09:12  until 18:00; inventory?[2J\n"
          "rollout  kiosk 1.4.3   all      rollout  09:12  stage 2\n"
          "force    kiosk 1.4.3   till-17  anna     09:12  running processes are ended\n");
    CHECK(orders_text({}, Painting::off) == "no order is in force\n");
}

TEST_CASE("an order is told in a line that does nothing to a terminal") {
    Utc const utc;
    CHECK(order_text(forced(), today(11, 0)) == "till-17: force kiosk 1.4.3, by anna; running processes are ended");
    CHECK(order_text(held(), today(11, 0)) == "all nodes: hold all software, by anna; until 18:00; inventory?[2J");
}

TEST_CASE("orders as JSON carry everything, in UTC") {
    auto const json = orders_json(answer());
    CHECK(json["time"] == "2026-01-31T11:00:00Z");
    REQUIRE(json["orders"].size() == 3);
    CHECK(json["orders"][0]["until"] == "2026-01-31T18:00:00Z");
    CHECK(json["orders"][0]["why"] == "inventory\x1b[2J");  // JSON has its own way to write it
    CHECK_FALSE(json["orders"][0].contains("software"));
    CHECK(json["orders"][1].dump() == R"({"order":"rollout","by":"rollout","since":"2026-01-31T09:12:00Z","why":"",)"
                                      R"("software":"kiosk","version":"1.4.3","stage":2})");
    CHECK(json["orders"][2].dump() ==
          R"({"order":"force","by":"anna","since":"2026-01-31T09:12:00Z","why":"","node":"till-17",)"
          R"("software":"kiosk","version":"1.4.3","restart":true})");
    CHECK(orders_json({})["orders"].empty());
}

}  // namespace orders_view_test
