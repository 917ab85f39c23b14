#include <catch2/catch.hpp>

#include "broker_fixture.hpp"

using namespace lull;
using namespace lull::broker;
using namespace lull::broker::test;

namespace {

auto const app = software("app");

Report report(std::uint64_t revision, NodeState state = NodeState::active) {
    Report report;
    report.software = app;
    report.seq = Seq{4};
    report.state = state;
    report.revision = revision;
    report.since = WallTime{50};
    report.why = "because";
    report.active = Seq{4};
    return report;
}

}  // namespace

TEST_CASE("a row that was never reported does not exist") {
    Ledger const ledger;
    CHECK(ledger.find(app, peer_key(1)) == nullptr);
    CHECK(ledger.durable_revision(app, peer_key(1)) == 0);
    CHECK(ledger.active_on(app, Seq{4}) == 0);
}

TEST_CASE("a report with a revision that is not higher changes nothing") {
    Ledger ledger;
    CHECK(ledger.take(peer_key(1), report(5)) == Ledger::Outcome::changed);
    CHECK(ledger.take(peer_key(1), report(5, NodeState::failed)) == Ledger::Outcome::stale);
    CHECK(ledger.take(peer_key(1), report(4, NodeState::failed)) == Ledger::Outcome::stale);
    CHECK(ledger.find(app, peer_key(1))->state == NodeState::active);
    CHECK(ledger.take(peer_key(1), report(6, NodeState::failed)) == Ledger::Outcome::changed);
    CHECK(ledger.find(app, peer_key(1))->state == NodeState::failed);
    CHECK(ledger.take(peer_key(2), report(1)) == Ledger::Outcome::changed);
}

TEST_CASE("only what reached the disk is durable") {
    Ledger ledger;
    ledger.take(peer_key(1), report(5));
    CHECK(ledger.durable_revision(app, peer_key(1)) == 0);
    ledger.mark_durable(app, peer_key(1), 5);
    CHECK(ledger.durable_revision(app, peer_key(1)) == 5);
    ledger.mark_durable(app, peer_key(1), 3);
    CHECK(ledger.durable_revision(app, peer_key(1)) == 5);
}

TEST_CASE("a report whose row did not reach the disk counts when it is repeated") {
    Ledger ledger;
    ledger.take(peer_key(1), report(5));
    ledger.mark_lost(app, peer_key(1), 5);
    CHECK(ledger.take(peer_key(1), report(5)) == Ledger::Outcome::changed);
    ledger.mark_durable(app, peer_key(1), 5);
    CHECK(ledger.take(peer_key(1), report(5)) == Ledger::Outcome::stale);

    ledger.take(peer_key(1), report(6));
    ledger.take(peer_key(1), report(7));
    ledger.mark_lost(app, peer_key(1), 6);
    CHECK(ledger.take(peer_key(1), report(7)) == Ledger::Outcome::stale);
}

TEST_CASE("rows come back from their records as they were") {
    Ledger first;
    auto sent = report(5, NodeState::waiting);
    sent.holders = {Holder{42, 1001, "kiosk", "browser --full", WallTime{7}, WallTime{8}}};
    first.take(peer_key(1), sent);
    auto const change = first.change(app, peer_key(1));
    CHECK(change.table == "ledger");

    Ledger second;
    REQUIRE(second.load(change.key, *change.value));
    auto const* row = second.find(app, peer_key(1));
    REQUIRE(row != nullptr);
    CHECK(row->state == NodeState::waiting);
    CHECK(row->why == "because");
    CHECK(row->holders == sent.holders);
    CHECK(row->active == Seq{4});
    CHECK(second.durable_revision(app, peer_key(1)) == 5);
    CHECK(second.take(peer_key(1), report(5)) == Ledger::Outcome::stale);
    CHECK(second.active_on(app, Seq{4}) == 1);
}

TEST_CASE("the nodes on which a release is active are counted by software") {
    Ledger ledger;
    for (std::uint64_t i = 1; i <= 5; ++i) ledger.take(peer_key(i), report(1));
    auto other = report(1);
    other.software = software("app-2");
    ledger.take(peer_key(1), other);
    auto moved = report(2);
    moved.active = Seq{6};
    ledger.take(peer_key(5), moved);
    CHECK(ledger.active_on(app, Seq{4}) == 4);
    CHECK(ledger.active_on(app, Seq{6}) == 1);
    CHECK(ledger.active_on(software("ap"), Seq{4}) == 0);
}

TEST_CASE("a damaged row of the ledger is refused and names the table") {
    Ledger source;
    source.take(peer_key(1), report(5));
    auto const change = source.change(app, peer_key(1));
    Ledger ledger;
    auto const short_key = ledger.load(View(change.key).first(33), *change.value);
    REQUIRE(!short_key);
    CHECK(short_key.error().fault == Fault::damaged);
    CHECK(short_key.error().message.find("'ledger'") != std::string::npos);
    CHECK(!ledger.load(change.key, View(*change.value).first(3)));
    auto bad_name = change.key;
    bad_name[0] = std::byte{'/'};
    CHECK(!ledger.load(bad_name, *change.value));
}
