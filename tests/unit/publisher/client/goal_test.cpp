#include "publisher/client/goal.hpp"

#include <catch2/catch.hpp>

#include "publisher/cli/wait_options.hpp"
#include "tests/unit/publisher/given_arguments.hpp"

namespace goal_test {

using namespace lull;
using namespace lull::publisher;
using Catch::Contains;
using lull::publisher::test::given;

namespace {

// How many nodes are in which state.
ReleaseProgress progress(std::map<NodeState, std::uint64_t> const& counts) {
    ReleaseProgress made;
    made.software = SoftwareName::parse("kiosk").value();
    made.version = VersionName::parse("1.4.3").value();
    made.seq = Seq{8};
    made.nodes.resize(static_cast<std::size_t>(enum_last(NodeState{})) + 1);
    for (auto const& [state, count] : counts) made.nodes[static_cast<std::size_t>(state)] = count;
    return made;
}

Order stop(OrderKind kind) {
    Order order;
    order.kind = kind;
    order.by = "rollout";
    order.why = "it failed on 1 of 1";
    return order;
}

FailedNode failure(std::string_view node, std::string why) { return {NodeName::parse(node).value(), std::move(why)}; }

bool waits(Goal const& goal, ReleaseProgress const& so_far) { return !outcome(goal, so_far).has_value(); }
bool reached(Goal const& goal, ReleaseProgress const& so_far) {
    auto const done = outcome(goal, so_far);
    return done && *done;
}
std::string failed(Goal const& goal, ReleaseProgress const& so_far) {
    auto const done = outcome(goal, so_far);
    REQUIRE(done.has_value());
    REQUIRE_FALSE(done->has_value());
    CHECK(done->error().fault == Fault::failed);
    return done->error().message;
}

}  // namespace

TEST_CASE("a goal is a share of the nodes, all of them if none is said") {
    CHECK(parse_goal("active")->share == all_nodes);
    CHECK(parse_goal("active:95%")->share == 9500);
    CHECK(parse_goal("active:0.5 %")->share == 50);
    for (std::string const bad :
         {"", "95%", "active:", "active:95", "active:0%", "active:101%", "actives", "Active", "failed:1%"}) {
        CAPTURE(bad);
        auto const goal = parse_goal(bad);
        REQUIRE_FALSE(goal.has_value());
        CHECK(goal.error().fault == Fault::usage);
        CHECK_THAT(goal.error().message, Contains("active:95%"));
    }
}

TEST_CASE("a goal is reached by as many whole nodes as its share needs") {
    CHECK(reached({all_nodes}, progress({{NodeState::active, 3}})));
    CHECK(waits({all_nodes}, progress({{NodeState::active, 2}, {NodeState::fetching, 1}})));
    CHECK(reached({9500}, progress({{NodeState::active, 95}, {NodeState::waiting, 5}})));
    CHECK(waits({9500}, progress({{NodeState::active, 94}, {NodeState::waiting, 6}})));
    CHECK(waits({1}, progress({{NodeState::undistributed, 3}})));  // one at least
    CHECK(reached({1}, progress({{NodeState::active, 1}, {NodeState::failed, 99}})));
}

TEST_CASE(
    "a goal that is reached is reached, also if there is a newer release meanwhile, but not if this one was stopped") {
    auto done = progress({{NodeState::active, 97}, {NodeState::rolled_back, 3}});
    done.superseded = true;
    CHECK(reached({9500}, done));
    done.stopped = stop(OrderKind::pause);
    CHECK_THAT(failed({9500}, done), Contains("is paused by rollout"));
}

TEST_CASE("waiting ends where there is no node to wait for") {
    CHECK_THAT(failed({}, progress({})), Contains("no node is enrolled"));
    CHECK_THAT(failed({}, ReleaseProgress{}), Contains("no node is enrolled"));
}

TEST_CASE("waiting ends with a release that is paused, withdrawn or superseded, and says how far it came") {
    auto halted = progress({{NodeState::active, 1}, {NodeState::staged, 8}, {NodeState::rolled_back, 1}});
    halted.failures = {failure("till-17", "no display")};
    halted.stopped = stop(OrderKind::pause);
    auto text = failed({9500}, halted);
    CHECK_THAT(text, Contains("kiosk 1.4.3 is paused by rollout: it failed on 1 of 1; 1 of 10 nodes active, 8 "
                              "staged, 1 rolled-back; the goal was 10 nodes"));
    CHECK_THAT(text, Contains("\n  till-17: no display"));
    CHECK_THAT(text, Contains("lull resume kiosk"));
    CHECK_THAT(text, Contains("lull rollback kiosk"));

    halted.stopped = stop(OrderKind::withdraw);
    text = failed({}, halted);
    CHECK_THAT(text, Contains("withdrawn by rollout"));
    CHECK_THAT(text, !Contains("lull resume"));

    halted.stopped.reset();
    halted.superseded = true;
    CHECK_THAT(failed({}, halted), Contains("superseded by a newer release"));
}

TEST_CASE("waiting ends when it was rolled back on too many nodes, and goes on over failures that are tried again") {
    CHECK(waits({9000}, progress({{NodeState::active, 8}, {NodeState::rolled_back, 1}, {NodeState::fetching, 1}})));
    CHECK_THAT(failed({9000}, progress({{NodeState::active, 8}, {NodeState::rolled_back, 2}})),
               Contains("was rolled back on too many nodes"));
    CHECK(waits({}, progress({{NodeState::failed, 10}})));
}

TEST_CASE("of many failures the first are named and the others counted") {
    auto so_far = progress({{NodeState::failed, 7}, {NodeState::rolled_back, 4}});
    for (int i = 0; i < 5; ++i) so_far.failures.push_back(failure("till-" + std::to_string(i), "no"));
    CHECK_THAT(failed({}, so_far), Contains("\n  till-4: no\n  and 6 more ('lull status kiosk' shows them)"));
}

// A node, or what a health check printed last, must not speak to a terminal.
TEST_CASE("what nodes and operators say cannot do anything to a terminal") {
    auto so_far = progress({{NodeState::rolled_back, 1}});
    so_far.failures = {failure("till-17", "no \x1b[2Jdisplay\nlull: all is well")};
    so_far.stopped = stop(OrderKind::pause);
    so_far.stopped->why = "\x1b]0;owned\x07";
    so_far.stopped->by = "an\rna";
    for (auto const& text : {failed({}, so_far), release_progress_text(so_far)}) {
        CAPTURE(text);
        CHECK(text.find('\x1b') == std::string::npos);
        CHECK(text.find('\x07') == std::string::npos);
        CHECK(text.find('\r') == std::string::npos);
        CHECK(text.find("\nlull: all is well") == std::string::npos);
    }
}

TEST_CASE("progress is a line: who is where, which stage it is in, what stops it") {
    auto so_far = progress({{NodeState::active, 97}, {NodeState::rolled_back, 3}});
    CHECK(release_progress_text(so_far) == "kiosk 1.4.3: 97 of 100 nodes active, 3 rolled-back");
    so_far.rollout = RolloutProgress{3, 3, all_nodes, 100, 97, 3, 0};
    CHECK(release_progress_text(so_far) ==
          "kiosk 1.4.3: 97 of 100 nodes active, 3 rolled-back; stage 3 of 3 of its rollout, 100 % of the nodes");
    so_far.rollout = RolloutProgress{1, 2, 50, 2, 0, 0, 2};
    so_far.away = 4;
    so_far.stopped = stop(OrderKind::withdraw);
    so_far.superseded = true;
    CHECK(release_progress_text(so_far) ==
          "kiosk 1.4.3: 97 of 100 nodes active, 3 rolled-back (4 of these not seen lately); stage 1 of 2 of its "
          "rollout, 0.5 % of the nodes (2 blocked); "
          "withdrawn by rollout: it failed on 1 of 1; superseded");
}

TEST_CASE("progress as JSON carries everything, and states only that some node is in") {
    auto so_far = progress({{NodeState::active, 97}, {NodeState::rolled_back, 3}});
    CHECK(progress_json(so_far).dump() ==
          R"({"software":"kiosk","version":"1.4.3","seq":8,"nodes":100,"states":{"active":97,"rolled-back":3},)"
          R"("away":0,"superseded":false,"failures":[]})");
    so_far.rollout = RolloutProgress{2, 3, 1000, 10, 7, 1, 2};
    so_far.stopped = stop(OrderKind::pause);
    so_far.failures = {failure("till-17", "no display")};
    auto const json = progress_json(so_far);
    CHECK(json["rollout"].dump() ==
          R"({"stage":2,"stages":3,"share":0.1,"members":10,"done":7,"failed":1,"blocked":2})");
    CHECK(json["stopped"] == "paused by rollout: it failed on 1 of 1");
    CHECK(json["failures"].dump() == R"([{"node":"till-17","why":"no display"}])");
}

TEST_CASE("counts of states that this version does not know are left aside") {
    auto so_far = progress({{NodeState::active, 1}});
    so_far.nodes.resize(200, 1);
    CHECK(release_progress_text(so_far).find("unknown") == std::string::npos);
    CHECK(progress_json(so_far)["states"].size() == 1);
}

TEST_CASE("--within is for --wait, and both are checked before anything is published") {
    auto const parse = [](std::vector<char const*> words) {
        return waiting_of(given(wait_options(), std::move(words)));
    };
    CHECK_FALSE(parse({})->goal);
    CHECK(parse({"--wait", "active:95%"})->goal->share == 9500);
    CHECK_FALSE(parse({"--wait", "active"})->within);
    CHECK(parse({"--wait", "active", "--within", "2h"})->within == std::chrono::hours(2));
    CHECK_THAT(parse({"--within", "2h"}).error().message, Contains("--within is for --wait only"));
    CHECK_THAT(parse({"--wait", "all"}).error().message, Contains("--wait: "));
    CHECK_THAT(parse({"--wait", "active", "--within", "long"}).error().message, Contains("--within: "));
}

}  // namespace goal_test
