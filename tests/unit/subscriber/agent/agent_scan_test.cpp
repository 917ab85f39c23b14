// Scans of installed trees, and repair.

#include <catch2/catch.hpp>

#include "tests/unit/subscriber/agent/orders_bench.hpp"

namespace agent_scan_test {

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;
using namespace std::chrono_literals;

namespace {

// What the agent wants looked at after this time.
std::vector<ScanTrees> scans_in(Bench& bench, Duration time) { return all<ScanTrees>(bench.idle(time)); }

// Ends a look at the only tree, with this finding.
Actions looked(Bench& bench, ScanTrees const& order, TreeFindings findings) {
    findings.release = order.releases.at(0);
    return bench.on(TreesScanned{order.software, order.read_all, false, {}, {std::move(findings)}});
}

ScanTrees first_look(Bench& bench) {
    auto const orders = scans_in(bench, 13min);
    REQUIRE(orders.size() == 1);
    return orders[0];
}

}  // namespace

TEST_CASE("installed trees are looked at every ten minutes or so, and read in full once a day") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    CHECK(scans_in(bench, 7min).empty());
    int all_read = 0;
    int looks = 0;
    for (int hour = 0; hour < 48; ++hour) {
        for (int minute = 0; minute < 60; minute += 5) {
            for (auto const& order : scans_in(bench, 5min)) {
                CHECK(order.releases == std::vector<ReleaseId>{Bench::id(1)});
                ++looks;
                all_read += order.read_all ? 1 : 0;
                looked(bench, order, {});
                bench.all_durable();
            }
        }
    }
    CHECK(all_read == 2);
    CHECK(looks > 48 * 60 / 13);
    CHECK(looks < 48 * 60 / 7);
}

TEST_CASE("a clock that was set back does not put the full look off") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    looked(bench, first_look(bench), {});
    CHECK_FALSE(first_look(bench).read_all);
    looked(bench, ScanTrees{software(), Bench::id(1), {Bench::id(1)}, {}, false}, {});
    bench.now.wall.micros -= std::int64_t{86'400} * 365 * 1'000'000;
    CHECK(first_look(bench).read_all);
}

TEST_CASE("what was put right is said to the operator once, until the next release") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    TreeFindings findings;
    findings.repaired = 2;
    findings.example = "bin/app: contents differ";
    auto const order = first_look(bench);
    bench.reconnect(1);
    looked(bench, order, findings);
    auto const report = last_report(bench.all_durable());
    CHECK(report.state == NodeState::active);
    CHECK(report.why.find("bin/app") != std::string::npos);
    bench.hear(ReportAck{software(), report.revision});
    bench.all_durable();
    CHECK(bench.agent.state().scans.at(software()).repaired == 2);
    looked(bench, first_look(bench), {});
    CHECK(sent<Report>(bench.all_durable()).empty());

    bench.reconnect(1);
    bench.record(2);
    bench.to_active(2);
    CHECK(bench.state().why.empty());
}

TEST_CASE("what could not be removed is removed after a look, but nothing is while a release is under way") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    auto const order = first_look(bench);
    CHECK(only<RemoveVersions>(looked(bench, order, {})).keep == std::vector{Bench::id(1)});
    bench.all_durable();
    auto const again = first_look(bench);
    bench.reconnect(1);
    bench.record(2);
    bench.to_staged(2);
    CHECK_FALSE(any<RemoveVersions>(looked(bench, again, {})));
}

TEST_CASE("bytes that are lacking are fetched, and the tree is looked at again when they are here") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    TreeFindings findings;
    findings.left = 1;
    findings.example = "bin/app: contents differ";
    findings.lacking = {Bench::segment(1)};
    auto const order = first_look(bench);
    if (!bench.agent.link().open()) bench.reconnect(1);
    auto actions = looked(bench, order, findings);
    Bench::append(actions, bench.all_durable());
    if (any<OpenExchange>(actions)) Bench::append(actions, bench.welcome(1));
    auto const fetch = sent<Fetch>(actions);
    REQUIRE(fetch.size() == 1);
    CHECK(fetch[0].items.at(0).object == Bench::segment(1).digest);

    auto const again = only<ScanTrees>(bench.object_comes(Bench::segment(1).digest, Bytes(50)));
    CHECK(again.objects.contains(Bench::segment(1).digest));
    TreeFindings right;
    right.repaired = 1;
    right.example = findings.example;
    looked(bench, again, right);
    CHECK(last_report(bench.all_durable()).why.find("put right") != std::string::npos);
    CHECK_FALSE(bench.agent.fetcher().anything_missing());
    CHECK(bench.agent.state().objects.empty());
}

TEST_CASE("a current that points elsewhere is pointed back, unless another release is active by now") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    auto const order = first_look(bench);
    TreesScanned const current_mismatch{order.software, false, false, Bench::id(1), {{Bench::id(1), 0, 0, "", {}, {}}}};
    SECTION("it still is the active one") {
        CHECK(only<PointBack>(bench.on(current_mismatch)).release == Bench::id(1));
        CHECK(bench.agent.state().scans.at(software()).repaired == 1);
    }
    SECTION("the next one was activated while its trees were looked at") {
        bench.reconnect(1);
        bench.record(2);
        bench.to_active(2);
        CHECK_FALSE(any<PointBack>(bench.on(current_mismatch)));
        CHECK(bench.agent.state().scans.at(software()).repaired == 0);
    }
    SECTION("the next one is being switched to") {
        bench.reconnect(1);
        bench.record(2);
        bench.to_staged(2);
        bench.on(UseFound{software(), UseAnswer::free, {}, ""});
        CHECK_FALSE(any<PointBack>(bench.on(current_mismatch)));
    }
}

TEST_CASE("a release that is lost from the disk is installed again") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    TreeFindings findings;
    findings.status = fail(Fault::not_found, "there is no such tree");
    auto const order = first_look(bench);
    if (!bench.agent.link().open()) bench.reconnect(1);
    looked(bench, order, findings);
    auto actions = bench.all_durable();
    CHECK(bench.state().phase == Phase::announced);
    if (any<OpenExchange>(actions)) bench.welcome(1);
    bench.to_active(1);
    CHECK(bench.state().phase == Phase::active);
}

TEST_CASE("an interrupted look changes nothing, and nothing is looked at while a release is being switched") {
    Bench bench;
    settle(bench, {{1, "kiosk"}});
    auto const order = first_look(bench);
    CHECK(scans_in(bench, 1h).empty());  // one at a time
    bench.on(TreesScanned{order.software, true, true, {}, {}});
    CHECK(bench.agent.state().scans.at(software()).read == WallTime{});
    bench.reconnect(1);
    bench.record(2);
    bench.to_staged(2);
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    bench.all_durable();
    REQUIRE(bench.state().phase == Phase::switching);
    CHECK(scans_in(bench, 1h).empty());
}

}  // namespace agent_scan_test
