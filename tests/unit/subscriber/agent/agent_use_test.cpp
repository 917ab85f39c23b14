// Users of the running version, and a release that waits for them.

#include <catch2/catch.hpp>

#include "tests/unit/subscriber/agent/orders_bench.hpp"

namespace agent_use_test {

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;
using namespace std::chrono_literals;

TEST_CASE("holders are told once, and the release is activated when the last one has gone") {
    Bench bench;
    second_staged(bench);
    auto actions = bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, "in use by 1 process"});
    CHECK(only<WatchUse>(actions).holders.size() == 1);
    CHECK(only<TellHolders>(actions).ready == Bench::id(2));
    bench.all_durable();
    auto told = holder(5);
    told.told = bench.now.wall;
    bench.on(HoldersTold{software(), {told}});
    actions = bench.all_durable();
    auto const report = last_report(actions);
    CHECK(report.state == NodeState::waiting);
    CHECK(report.why == "in use by 1 process");
    CHECK(report.holders == std::vector{told});

    // Looked at again, nothing has changed: nobody is told, nothing is reported.
    bench.on(UseMayHaveEnded{software()});
    actions = bench.on(UseFound{software(), UseAnswer::in_use, {holder(5)}, "in use by 1 process"});
    CHECK(any<WatchUse>(actions));
    CHECK_FALSE(any<TellHolders>(actions));
    CHECK_FALSE(any<Persist>(actions));

    // A second one: the first keeps the time at which it was told.
    bench.idle(1s);
    bench.on(UseMayHaveEnded{software()});
    actions = bench.on(UseFound{software(), UseAnswer::in_use, {holder(5), holder(6)}, "in use by 2 processes"});
    CHECK(only<TellHolders>(actions).holders.at(0).told == told.told);
    CHECK_FALSE(only<TellHolders>(actions).holders.at(1).told);
    bench.all_durable();

    REQUIRE(any<ProbeUse>(bench.on(UseMayHaveEnded{software()})));
    bench.on(UseFound{software(), UseAnswer::free, {}, ""});
    CHECK(any<SwitchCurrent>(bench.all_durable()));
}

TEST_CASE("a release that does not wait is switched to under its users, who are not told to end") {
    Bench bench;
    bench.policy = Policy::now;
    second_staged(bench);
    auto const found = GENERATE(UseAnswer::in_use, UseAnswer::unknown);
    auto actions = bench.on(UseFound{software(), found, {holder(5)}, "in use by 1 process"});
    CHECK_FALSE(any<SwitchCurrent>(actions));
    CHECK_FALSE(any<TellHolders>(actions));
    CHECK(only<SwitchCurrent>(bench.all_durable()).release == Bench::id(2));
}

TEST_CASE("a look that fails is not 'not in use'") {
    Bench bench;
    second_staged(bench);
    bench.on(UseFound{software(), UseAnswer::unknown, {}, "/proc cannot be read"});
    auto const actions = bench.all_durable();
    CHECK_FALSE(any<SwitchCurrent>(actions));
    CHECK(last_report(actions).state == NodeState::waiting);
    CHECK(last_report(actions).why.find("/proc cannot be read") != std::string::npos);
}

TEST_CASE("no report names more holders than one may") {
    Bench bench;
    second_staged(bench);
    std::vector<Holder> many;
    for (std::uint64_t pid = 1; pid <= 100; ++pid) many.push_back(holder(pid));
    bench.on(UseFound{software(), UseAnswer::in_use, many, "in use by 100 processes"});
    CHECK(last_report(bench.all_durable()).holders.size() == limits::holders_per_report);
}

}  // namespace agent_use_test
