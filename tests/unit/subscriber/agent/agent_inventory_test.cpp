// What a node says it has, and what it reports again because the broker's table says something else.

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/unit/subscriber/agent/orders_bench.hpp"

namespace agent_inventory_test {

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;
using namespace std::chrono_literals;

namespace {

// The session is lost and begins anew; the broker wants these.
Actions wanted(Bench& bench, std::vector<ReportWanted> wanted) {
    bench.on(ExchangeLost{"broken"});
    bench.pass(1min);
    bench.on(Tick{});
    bench.on(ExchangeReady{});
    Welcome welcome{epoch, Seq{1}, bench.now.wall};
    welcome.wanted = std::move(wanted);
    auto actions = bench.hear(std::move(welcome));
    Bench::append(actions, bench.all_durable());
    return actions;
}

void note(Bench& bench, Report const& report) {
    bench.hear(ReportAck{report.software, report.revision});
    bench.all_durable();
}

}  // namespace

TEST_CASE("HELLO has what the node has of each software, by name") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    bench.to_active(1);
    bench.record(2, "zoo");
    bench.on(ExchangeLost{"broken"});
    bench.pass(1min);
    bench.on(Tick{});
    auto const hello = sent<Hello>(bench.on(ExchangeReady{})).at(0);
    REQUIRE(hello.inventory);
    REQUIRE(hello.inventory->size() == 2);
    auto const& kiosk = hello.inventory->at(0);
    CHECK(kiosk.software == software());
    CHECK(kiosk.seq == Seq{1});
    CHECK(kiosk.state == NodeState::active);
    CHECK(kiosk.active == Seq{1});
    CHECK(kiosk.revision == bench.state().revision);
    CHECK(hello.inventory->at(1).software == software("zoo"));
    CHECK_FALSE(hello.inventory->at(1).active);
}

TEST_CASE("a node whose reports the broker has seen before reports again, above the revision in the table") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    note(bench, last_report(bench.to_active(1)));
    auto const above = bench.state().revision + 1'000'000'000'000;
    auto const report = last_report(wanted(bench, {{software(), above}}));
    CHECK(report.revision == above + 1);
    CHECK(report.state == NodeState::active);
    CHECK(report.active == Seq{1});
    CHECK(report.active_version == Bench::version(1));
    note(bench, report);
    CHECK(bench.agent.state().outbox.empty());
}

TEST_CASE("a report that is on its way already, and that the table will take, is not made twice") {
    Bench bench;
    bench.check_in();
    auto const report = last_report(bench.record(1));
    CHECK(sent<Report>(wanted(bench, {{software(), report.revision - 1}})) == std::vector{report});
}

TEST_CASE("a report that is on its way, and that the table would pass over, is made anew") {
    Bench bench;
    bench.check_in();
    auto const report = last_report(bench.record(1));
    auto const again = last_report(wanted(bench, {{software(), report.revision}}));
    CHECK(again.revision == report.revision + 1);
}

TEST_CASE("the first report of a software that the broker's table has already is above its revision") {
    Bench bench;
    bench.check_in();
    auto const above = static_cast<std::uint64_t>(bench.now.wall.micros) + 1'000'000'000'000;
    wanted(bench, {{software(), above}});
    CHECK(last_report(bench.record(1)).revision > above);
}

TEST_CASE("a hold that is given on the node is reported when it is set, when it ends, and when it is taken back") {
    Bench bench;
    bench.check_in();
    bench.record(1);
    note(bench, last_report(bench.to_active(1)));
    Holds holds;
    holds.all = Hold{bench.now.wall, WallTime{bench.now.wall.micros + 3'600'000'000}, "kiosk", "inventory"};
    auto actions = bench.on(HoldsRead{holds});
    Bench::append(actions, bench.all_durable());
    auto const report = last_report(actions);
    CHECK(report.state == NodeState::active);
    REQUIRE(report.held);
    CHECK(report.held->find("held by kiosk") == 0);
    CHECK(report.held->find("inventory") != std::string::npos);
    note(bench, report);
    CHECK_FALSE(any<Persist>(bench.on(HoldsRead{holds})));  // the same

    holds.all->until = WallTime{bench.now.wall.micros + 10'000'000};
    auto changed = bench.on(HoldsRead{holds});
    Bench::append(changed, bench.all_durable());
    note(bench, last_report(changed));
    REQUIRE(bench.agent.wake());
    bench.pass(11s);
    auto over = bench.on(Tick{});
    Bench::append(over, bench.all_durable());
    CHECK_FALSE(last_report(over).held);

    Bench after(bench.agent.state(), {{software(), Bench::id(1)}}, *SigningKey::from_pem(bench.key.to_pem(""), ""), {},
                Holds{{}, Hold{bench.now.wall, std::nullopt, "kiosk", ""}});
    auto started = after.start();  // it was set while the daemon was off
    Bench::append(started, after.all_durable());
    CHECK(after.agent.state().outbox.at(software()).held);
}

TEST_CASE("what the broker has to say to the owner of a node goes into the log, once") {
    Bench bench;
    bench.check_in();
    auto const told = [&] {
        bench.on(ExchangeLost{"broken"});
        bench.pass(1min);
        bench.on(Tick{});
        bench.on(ExchangeReady{});
        Welcome welcome{epoch, Seq{}, bench.now.wall};
        welcome.note = "this is a copy";
        auto const said = all<Say>(bench.hear(std::move(welcome)));
        return std::ranges::count(said, std::string("this is a copy"), &Say::text);
    };
    bench.record(1);  // so that it wants a session
    CHECK(told() == 1);
    CHECK(told() == 0);
}

}  // namespace agent_inventory_test
