// How an agent follows the log of the broker.

#include <catch2/catch.hpp>

#include "tests/unit/subscriber/agent/orders_bench.hpp"

namespace agent_log_test {

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;
using namespace std::chrono_literals;

namespace {

bool touches(store::Batch const& batch, std::string_view table) {
    return std::any_of(batch.begin(), batch.end(), [&](store::Change const& change) { return change.table == table; });
}

}  // namespace

TEST_CASE("an announcement is recorded, cursor, record and report in one batch, before anything else happens") {
    Bench bench;
    bench.check_in();
    auto const actions = bench.announce(bench.release(1));
    auto const batch = only<Persist>(actions).batch;
    CHECK(touches(batch, journal::meta));
    CHECK(touches(batch, journal::software));
    CHECK(touches(batch, journal::outbox));
    CHECK(sent<Fetch>(actions).empty());
    CHECK(sent<Report>(actions).empty());

    auto const then = bench.one_durable();
    CHECK(last_report(then).state == NodeState::announced);
    auto const fetch = sent<Fetch>(then);
    REQUIRE(fetch.size() == 1);
    CHECK(fetch[0].items.at(0).object == Bench::manifest(1));
    CHECK(bench.agent.state().cursor == Cursor{epoch, Seq{1}});
}

TEST_CASE("nothing of a release is fetched before it is recorded, even when an older batch becomes durable meanwhile") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_fetching(1);
    auto const staging = bench.object_comes(Bench::segment(1).digest, Bytes(50));
    REQUIRE(any<StageRelease>(staging));
    bench.on(StageEnded{Bench::id(1), {}, {}});  // its report is on the way to the disk
    bench.announce(bench.release(2));
    CHECK(sent<Fetch>(bench.one_durable()).empty());
    CHECK(sent<Fetch>(bench.one_durable()).size() == 1);
}

TEST_CASE("an announcement that is known already changes nothing") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    auto const again = bench.announce(bench.release(1));
    CHECK_FALSE(any<Persist>(again));
    CHECK_FALSE(any<Send>(again));
}

TEST_CASE("a gap in the announcements is asked for and recorded in order") {
    Bench bench;
    bench.check_in();
    auto actions = bench.announce(bench.release(3));
    CHECK_FALSE(any<Persist>(actions));
    auto const sync = sent<Sync>(actions);
    REQUIRE(sync.size() == 1);
    CHECK(sync[0].cursor == Seq{0});

    actions = bench.hear(LogPage{epoch, Seq{0}, {bench.release(1), bench.release(2), bench.release(3)}, Seq{3}});
    CHECK(all<Persist>(actions).size() == 1);
    CHECK(sent<Sync>(actions).empty());
    CHECK(bench.agent.state().cursor.seq == Seq{3});
    actions = bench.one_durable();
    CHECK(sent<Report>(actions).size() == 1);  // of the newest only
    CHECK(sent<Fetch>(actions).at(0).items.at(0).object == Bench::manifest(3));
}

TEST_CASE("HEAD shows what was missed, and the next page is asked for until the head is reached") {
    Bench bench;
    bench.check_in();
    auto actions = bench.on(AnnouncementHeard{Head{epoch, Seq{2}, {}, 0}});
    CHECK(sent<Sync>(actions).size() == 1);
    actions = bench.hear(LogPage{epoch, Seq{0}, {bench.release(1)}, Seq{2}});
    auto const further = sent<Sync>(actions);
    REQUIRE(further.size() == 1);
    CHECK(further[0].cursor == Seq{1});
    actions = bench.hear(LogPage{epoch, Seq{1}, {bench.release(2)}, Seq{2}});
    CHECK(sent<Sync>(actions).empty());
    CHECK(bench.agent.state().cursor.seq == Seq{2});
}

TEST_CASE("a page that brings nothing is not asked for again at once") {
    Bench bench;
    bench.check_in();
    bench.on(AnnouncementHeard{Head{epoch, Seq{2}, {}, 0}});
    auto const actions = bench.hear(LogPage{epoch, Seq{0}, {}, Seq{2}});
    CHECK(sent<Sync>(actions).empty());
    CHECK(sent<Sync>(bench.idle(10s)).empty());
}

TEST_CASE("a lost SYNC or LOG is asked for again") {
    Bench bench;
    bench.check_in();
    CHECK(sent<Sync>(bench.announce(bench.release(3))).size() == 1);
    CHECK(sent<Sync>(bench.idle(16s)).size() == 1);
}

// ---- another log, and a log that was compacted ----

namespace {

constexpr Epoch renewed{78};

LogEntry later(Bench const& bench, std::uint64_t seq, std::string_view name = "kiosk") {
    auto entry = bench.release(seq, name);
    entry.prev = Seq{2};
    return entry;
}

}  // namespace

TEST_CASE("a node that has recorded nothing takes the newest releases and the place of the log from a snapshot") {
    Bench bench;
    bench.check_in(9);
    bench.hear(Snapshot{epoch, std::nullopt, {bench.release(4)}, Seq{9}, std::nullopt});
    CHECK(bench.agent.state().cursor == Cursor{epoch, Seq{9}});
    auto const actions = bench.all_durable();
    CHECK(last_report(actions).seq == Seq{4});
    CHECK(sent<Sync>(actions).empty());
    CHECK_FALSE(any<Persist>(bench.announce(bench.release(9))));
    CHECK(any<Persist>(bench.announce(bench.release(10))));
}

TEST_CASE("a log of another epoch is asked for, and nothing of it is taken before its snapshot is here") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    auto const strange = bench.on(AnnouncementHeard{Update{renewed, later(bench, 3)}});
    CHECK_FALSE(any<Persist>(strange));
    auto const sync = sent<Sync>(strange);
    REQUIRE(sync.size() == 1);
    CHECK(sync[0].epoch == epoch);
    CHECK(bench.agent.state().cursor == Cursor{epoch, Seq{1}});

    bench.hear(Snapshot{renewed, std::nullopt, {later(bench, 3)}, Seq{3}, std::nullopt});
    CHECK(bench.agent.state().cursor == Cursor{renewed, Seq{3}});
    CHECK(last_report(bench.all_durable()).seq == Seq{3});
}

TEST_CASE("the cursor moves with the last page of a snapshot, to the head of the first one") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    bench.on(AnnouncementHeard{Head{renewed, Seq{8}, {}, 0}});
    auto const first = bench.hear(Snapshot{renewed, std::nullopt, {bench.release(5, "bar")}, Seq{8}, software("bar")});
    CHECK(bench.agent.state().cursor == Cursor{epoch, Seq{1}});
    auto const next = sent<Sync>(first);
    REQUIRE(next.size() == 1);
    CHECK(next[0].after == software("bar"));
    CHECK(next[0].epoch == epoch);
    bench.all_durable();
    CHECK(bench.state("bar").entry.seq == Seq{5});
    CHECK(bench.agent.state().cursor == Cursor{epoch, Seq{1}});

    auto const last = bench.hear(Snapshot{renewed, software("bar"), {bench.release(7)}, Seq{9}, std::nullopt});
    CHECK(bench.agent.state().cursor == Cursor{renewed, Seq{8}});
    CHECK(sent<Sync>(last).size() == 1);  // what came after the first page
    bench.all_durable();
    CHECK(bench.state().entry.seq == Seq{7});
}

TEST_CASE("a snapshot that changes between two pages is asked for from its beginning") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    bench.on(AnnouncementHeard{Head{renewed, Seq{8}, {}, 0}});
    bench.hear(Snapshot{renewed, std::nullopt, {bench.release(5, "bar")}, Seq{8}, software("bar")});
    auto const strange = bench.hear(Snapshot{Epoch{79}, software("bar"), {bench.release(7)}, Seq{9}, std::nullopt});
    auto const sync = sent<Sync>(strange);
    REQUIRE(sync.size() == 1);
    CHECK_FALSE(sync[0].after.has_value());
    CHECK(bench.agent.state().cursor == Cursor{epoch, Seq{1}});
}

TEST_CASE("a page that says to go on where it began ends in a new beginning, not in a loop of pages") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    bench.on(AnnouncementHeard{Head{renewed, Seq{8}, {}, 0}});
    bench.hear(Snapshot{renewed, std::nullopt, {bench.release(5, "bar")}, Seq{8}, software("bar")});
    auto const again = bench.hear(Snapshot{renewed, software("bar"), {}, Seq{8}, software("bar")});
    CHECK_FALSE(sent<Sync>(again).at(0).after.has_value());
}

TEST_CASE("releases that a restored log has lost stay, are said to be ahead, and are reported again") {
    Bench bench;
    settle(bench, {{1, "bar"}, {2, "kiosk"}});
    bench.on(AnnouncementHeard{Head{renewed, Seq{1}, {}, 0}});
    auto const taken = bench.hear(Snapshot{renewed, std::nullopt, {bench.release(1, "bar")}, Seq{1}, std::nullopt});
    CHECK(says(taken, "kiosk 1.2"));
    CHECK_FALSE(says(taken, "bar"));
    CHECK(bench.agent.state().cursor == Cursor{renewed, Seq{1}});
    CHECK(sent<Report>(bench.all_durable()).size() == 2);  // the ledger is as old as the log
    CHECK(bench.state().entry.seq == Seq{2});
    CHECK(bench.state().active->seq == Seq{2});

    bench.on(AnnouncementHeard{Update{renewed, [&] {
                                          auto entry = bench.release(1'000'001);
                                          entry.prev = Seq{1};
                                          return entry;
                                      }()}});
    CHECK(last_report(bench.all_durable()).seq == Seq{1'000'001});
}

TEST_CASE("another release under a number that is known is not taken for it") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    auto entry = Bench::release_by(SigningKey::generate(), 1);
    bench.on(AnnouncementHeard{Head{renewed, Seq{1}, {}, 0}});
    auto const taken = bench.hear(Snapshot{renewed, std::nullopt, {entry}, Seq{1}, std::nullopt});
    CHECK(bench.state().entry == bench.release(1));
    CHECK(says(taken, "not in the broker's log"));
}

TEST_CASE("a snapshot of the own log brings what is newer, and nothing is reported twice") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    bench.on(AnnouncementHeard{Head{epoch, Seq{30}, {}, 0}});
    bench.hear(Snapshot{epoch, std::nullopt, {bench.release(1)}, Seq{30}, std::nullopt});
    CHECK(bench.agent.state().cursor == Cursor{epoch, Seq{30}});
    CHECK(sent<Report>(bench.all_durable()).empty());
}

TEST_CASE("a log that ends before the cursor is shown what it has lost, once a session") {
    Bench bench;
    settle(bench, {{1, "kiosk"}, {2, "kiosk"}});
    bench.idle(2min);
    REQUIRE(any<OpenExchange>(bench.on(AnnouncementHeard{Head{epoch, Seq{1}, {}, 0}})));
    auto const actions = bench.welcome(1);
    auto const witness = sent<Witness>(actions);
    REQUIRE(witness.size() == 1);
    CHECK(witness[0].entry == bench.release(2));
    CHECK(sent<Witness>(bench.on(AnnouncementHeard{Head{epoch, Seq{1}, {}, 0}})).empty());
    CHECK(sent<Witness>(bench.idle(40s)).empty());
}

TEST_CASE("a release that is announced again is reported again, or recorded if it passed by") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    auto const again = bench.hear(Update{epoch, bench.release(1)});
    CHECK(sent<Report>(again).empty());  // not before it is durable
    CHECK(last_report(bench.all_durable()).state == NodeState::active);
    CHECK_FALSE(any<Persist>(bench.hear(Update{epoch, bench.release(1)})));  // that report is not noted yet

    bench.hear(Update{epoch, bench.release(1, "bar")});
    CHECK(last_report(bench.all_durable()).software == software("bar"));
    CHECK(bench.agent.state().cursor == Cursor{epoch, Seq{1}});
}

TEST_CASE("a release that no trusted key signed is reported as failed, and nothing of it is fetched") {
    Bench bench;
    bench.check_in();
    bench.announce(Bench::release_by(SigningKey::generate(), 1));
    auto const actions = bench.all_durable();
    CHECK(sent<Fetch>(actions).empty());
    auto const report = last_report(actions);
    CHECK(report.state == NodeState::failed);
    CHECK_FALSE(report.why.empty());
    CHECK(sent<Fetch>(bench.idle(5min)).empty());
}

TEST_CASE("a release for groups passes by, and the cursor with it") {
    Bench bench;
    bench.check_in();
    UpdateInfo info{software(),
                    Bench::version(1),
                    {},
                    {{*ArchitectureName::parse("any"), Bench::manifest(1), Bytes(100), Bytes(50), 1}},
                    {*GroupName::parse("canary")}};
    bench.announce({Seq{1}, Seq{0}, {}, seal(encode(info), domain::update_info, bench.key)});
    bench.all_durable();
    CHECK(bench.agent.state().software.empty());
    CHECK(bench.agent.state().cursor.seq == Seq{1});
}

TEST_CASE("a release without a build for this machine is reported as failed") {
    Bench bench;
    bench.check_in();
    UpdateInfo info{software(),
                    Bench::version(1),
                    {},
                    {{*ArchitectureName::parse("riscv64"), Bench::manifest(1), Bytes(100), Bytes(50), 1}},
                    {}};
    bench.announce({Seq{1}, Seq{0}, {}, seal(encode(info), domain::update_info, bench.key)});
    auto const actions = bench.all_durable();
    CHECK(last_report(actions).state == NodeState::failed);
    CHECK(sent<Fetch>(actions).empty());
}

}  // namespace agent_log_test
