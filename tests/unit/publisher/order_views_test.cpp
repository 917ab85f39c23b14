#include <catch2/catch.hpp>
#include <cstdlib>
#include <ctime>

#include "publisher/views.hpp"

// What the orders that stand look like.

using namespace lull;
using namespace lull::publisher;

namespace {

// Times are shown by local time: this makes it UTC for a test.
class Utc {
public:
    Utc() {
        setenv("TZ", "UTC0", 1);
        tzset();
    }
};

// 2026-01-31, at hour and minute.
WallTime today(int hour, int minute) { return {(1769817600LL + hour * 3600 + minute * 60) * 1'000'000}; }

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
          "force    kiosk 1.4.3   till-17  anna     09:12  users are ended\n");
    CHECK(orders_text({}, Painting::off) == "no order stands\n");
}

TEST_CASE("an order is told in a line that does nothing to a terminal") {
    Utc const utc;
    CHECK(order_text(forced(), today(11, 0)) == "till-17: force kiosk 1.4.3, by anna; users are ended");
    CHECK(order_text(held(), today(11, 0)) == "all nodes: hold all software, by anna; until 18:00; inventory?[2J");
}

TEST_CASE("orders as JSON carry everything, in UTC") {
    auto const json = orders_json(answer());
    CHECK(json["time"] == "2026-01-31T11:00:00Z");
    REQUIRE(json["orders"].size() == 3);
    CHECK(json["orders"][0]["until"] == "2026-01-31T18:00:00Z");
    CHECK(json["orders"][0]["why"] == "inventory\x1b[2J");  // JSON has its own way to write it
    CHECK_FALSE(json["orders"][0].contains("software"));
    CHECK(json["orders"][1].dump() ==
          R"({"order":"rollout","by":"rollout","since":"2026-01-31T09:12:00Z","why":"","software":"kiosk","version":"1.4.3","stage":2})");
    CHECK(json["orders"][2].dump() == R"({"order":"force","by":"anna","since":"2026-01-31T09:12:00Z","why":"","node":"till-17",)"
                                      R"("software":"kiosk","version":"1.4.3","restart":true})");
    CHECK(orders_json({})["orders"].empty());
}

TEST_CASE("the list has a column for notes where there are some") {
    Utc const utc;
    Answer list;
    list.time = today(11, 0);
    ReleaseRow release;
    release.software = SoftwareName::parse("kiosk").value();
    release.version = VersionName::parse("1.4.2").value();
    release.time = today(9, 0);
    list.releases = {release};
    CHECK(list_text(list, Sizes::hidden, Painting::off).find("NOTE") == std::string::npos);
    CHECK_FALSE(list_json(list)["releases"][0].contains("note"));
    list.releases.push_back(release);
    list.releases[1].note = "paused by anna: looks wrong";
    CHECK_THAT(list_text(list, Sizes::hidden, Painting::off), Catch::Contains("NOTE") && Catch::Contains("paused by anna: looks wrong\n"));
    CHECK(list_json(list)["releases"][1]["note"] == "paused by anna: looks wrong");
}
