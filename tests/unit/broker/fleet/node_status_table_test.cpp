#include <catch2/catch.hpp>

#include "broker_fixture.hpp"

namespace node_status_table_test {

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
    NodeStatusTable const node_status;
    CHECK_FALSE(node_status.find(app, peer_key(1)));
    CHECK(node_status.durable_revision(app, peer_key(1)) == 0);
    CHECK(node_status.counters(app).active_on(Seq{4}) == 0);
}

TEST_CASE("a report with a revision that is not higher changes nothing") {
    NodeStatusTable node_status;
    CHECK(node_status.take(peer_key(1), report(5)) == NodeStatusTable::Outcome::changed);
    CHECK(node_status.take(peer_key(1), report(5, NodeState::failed)) == NodeStatusTable::Outcome::stale);
    CHECK(node_status.take(peer_key(1), report(4, NodeState::failed)) == NodeStatusTable::Outcome::stale);
    CHECK(node_status.find(app, peer_key(1))->state == NodeState::active);
    CHECK(node_status.take(peer_key(1), report(6, NodeState::failed)) == NodeStatusTable::Outcome::changed);
    CHECK(node_status.find(app, peer_key(1))->state == NodeState::failed);
    CHECK(node_status.take(peer_key(2), report(1)) == NodeStatusTable::Outcome::changed);
}

TEST_CASE("only what reached the disk is durable") {
    NodeStatusTable node_status;
    node_status.take(peer_key(1), report(5));
    CHECK(node_status.durable_revision(app, peer_key(1)) == 0);
    node_status.mark_durable(app, peer_key(1), 5);
    CHECK(node_status.durable_revision(app, peer_key(1)) == 5);
    node_status.mark_durable(app, peer_key(1), 3);
    CHECK(node_status.durable_revision(app, peer_key(1)) == 5);
}

TEST_CASE("a report whose row did not reach the disk counts when it is repeated") {
    NodeStatusTable node_status;
    node_status.take(peer_key(1), report(5));
    node_status.mark_lost(app, peer_key(1), 5);
    CHECK(node_status.take(peer_key(1), report(5)) == NodeStatusTable::Outcome::changed);
    node_status.mark_durable(app, peer_key(1), 5);
    CHECK(node_status.take(peer_key(1), report(5)) == NodeStatusTable::Outcome::stale);

    node_status.take(peer_key(1), report(6));
    node_status.take(peer_key(1), report(7));
    node_status.mark_lost(app, peer_key(1), 6);
    CHECK(node_status.take(peer_key(1), report(7)) == NodeStatusTable::Outcome::stale);
}

TEST_CASE("rows come back from their records as they were") {
    NodeStatusTable first;
    auto sent = report(5, NodeState::waiting);
    sent.holders = {Holder{42, 1001, "kiosk", "browser --full", WallTime{7}, WallTime{8}}};
    first.take(peer_key(1), sent);
    auto const change = first.change(app, peer_key(1));
    CHECK(change.table == "ledger");

    NodeStatusTable second;
    REQUIRE(second.load(change.key, *change.value));
    auto const row = second.find(app, peer_key(1));
    REQUIRE(row);
    CHECK(row->state == NodeState::waiting);
    CHECK(row->why == "because");
    CHECK(row->holders == sent.holders);
    CHECK(row->active == Seq{4});
    CHECK(second.durable_revision(app, peer_key(1)) == 5);
    CHECK(second.take(peer_key(1), report(5)) == NodeStatusTable::Outcome::stale);
    CHECK(second.counters(app).active_on(Seq{4}) == 1);
}

TEST_CASE("the nodes on which a release is active are counted by software") {
    NodeStatusTable node_status;
    for (std::uint64_t i = 1; i <= 5; ++i) node_status.take(peer_key(i), report(1));
    auto other = report(1);
    other.software = software("app-2");
    node_status.take(peer_key(1), other);
    auto moved = report(2);
    moved.active = Seq{6};
    node_status.take(peer_key(5), moved);
    CHECK(node_status.counters(app).active_on(Seq{4}) == 4);
    CHECK(node_status.counters(app).active_on(Seq{6}) == 1);
    CHECK(node_status.counters(software("ap")).active_on(Seq{4}) == 0);
}

TEST_CASE("a damaged row of the ledger is refused and names the table") {
    NodeStatusTable source;
    source.take(peer_key(1), report(5));
    auto const change = source.change(app, peer_key(1));
    NodeStatusTable node_status;
    auto const short_key = node_status.load(View(change.key).first(33), *change.value);
    REQUIRE(!short_key);
    CHECK(short_key.error().fault == Fault::damaged);
    CHECK(short_key.error().message.find("'ledger'") != std::string::npos);
    CHECK(!node_status.load(change.key, View(*change.value).first(3)));
    auto bad_name = change.key;
    bad_name[0] = std::byte{'/'};
    CHECK(!node_status.load(bad_name, *change.value));
}

TEST_CASE("long texts, and more texts than are shared, come back as they were reported") {
    NodeStatusTable node_status;
    for (std::uint64_t i = 1; i <= 5000; ++i) {
        auto sent = report(1, NodeState::failed);
        sent.why = i % 2 == 0 ? fmt::format("why {}", i) : std::string(300, 'x') + std::to_string(i);
        node_status.take(peer_key(i), sent);
    }
    for (std::uint64_t i : {1, 2, 4999, 5000}) {
        auto const expected = i % 2 == 0 ? fmt::format("why {}", i) : std::string(300, 'x') + std::to_string(i);
        CHECK(node_status.find(app, peer_key(i))->why == expected);
    }
    CHECK(node_status.failed_on(app, Seq{4}, 3) == std::vector{peer_key(1), peer_key(2), peer_key(3)});
    node_status.take(peer_key(2), report(2));
    CHECK(node_status.failed_on(app, Seq{4}, 3) == std::vector{peer_key(1), peer_key(3), peer_key(4)});
}

TEST_CASE("a copy of the table has the same rows, revisions and counters") {
    NodeStatusTable node_status;
    node_status.take(peer_key(1), report(5));
    node_status.take(peer_key(2), report(6, NodeState::failed));
    node_status.mark_durable(app, peer_key(2), 6);
    NodeStatusTable copy = node_status;
    CHECK(copy.find(app, peer_key(1))->revision == 5);
    CHECK(copy.durable_revision(app, peer_key(1)) == 0);
    CHECK(copy.durable_revision(app, peer_key(2)) == 6);
    CHECK(copy.take(peer_key(1), report(5)) == NodeStatusTable::Outcome::stale);
    CHECK(copy.counters(app).counts(Seq{4}).nodes == node_status.counters(app).counts(Seq{4}).nodes);
}

TEST_CASE("of the nodes on which a release is active those that are away are counted as such") {
    NodeStatusTable node_status;
    for (std::uint64_t i = 1; i <= 3; ++i) node_status.take(peer_key(i), report(1));
    node_status.set_presence(peer_key(2), Presence::away);
    CHECK(node_status.counters(app).counts(Seq{4}).away_active == 1);
    node_status.take(peer_key(2), report(2, NodeState::failed));
    node_status.set_presence(peer_key(2), Presence::present);
    CHECK(node_status.counters(app).counts(Seq{4}).away_active == 0);
}

}  // namespace node_status_table_test
