#include "broker/rollout/rollout_steps.hpp"

#include <catch2/catch.hpp>

namespace rollout_steps_test {

// When the next nodes' turn comes.

using namespace lull;
using namespace lull::broker;

namespace {

constexpr auto last_place = std::numeric_limits<std::uint64_t>::max();
constexpr std::int64_t second = 1'000'000;
constexpr WallTime begun{1'000'000'000'000};

using Nodes = std::vector<RolloutTally::Node>;

// One node for each letter, by rank: (d)one, (f)ailed, (b)locked, (a)way, (B)locked and away, others are pending. The
// i-th of them, from 1, has rank 10 i.
Nodes nodes(std::string_view letters) {
    Nodes made;
    for (auto const letter : letters) {
        auto const status = letter == 'd'                    ? RolloutStatus::done
                            : letter == 'f'                  ? RolloutStatus::failed
                            : letter == 'b' || letter == 'B' ? RolloutStatus::blocked
                                                             : RolloutStatus::pending;
        made.push_back(
            {10 * (made.size() + 1), status, letter == 'a' || letter == 'B' ? Presence::away : Presence::present});
    }
    return made;
}

Nodes many(std::size_t count, char letter) { return nodes(std::string(count, letter)); }

RolloutTally tally(Nodes const& nodes, std::optional<RolloutTurn> const& turn) {
    RolloutTally tally;
    tally.add(nodes);
    if (turn) tally.open(turn->upto);
    return tally;
}

RolloutStep next_step(Rollout const& rollout, std::optional<RolloutTurn> const& turn, Nodes const& nodes, WallTime now,
                      Duration patience = Duration::max()) {
    return broker::next_step(rollout, turn, tally(nodes, turn), {now, patience});
}

RolloutProgress progress_of(Rollout const& rollout, RolloutTurn const& turn, Nodes const& nodes,
                            RolloutClock const& clock = {begun}) {
    return broker::progress_of(rollout, turn, tally(nodes, turn), clock);
}

RolloutTurn turn(std::uint64_t stage, std::uint64_t upto, std::uint64_t accepted_failures = 0) {
    return {stage, upto, begun, accepted_failures};
}

WallTime after(std::int64_t seconds) { return {begun.micros + seconds * second}; }

std::optional<RolloutTurn> opened(RolloutStep const& step) {
    auto const* open = std::get_if<rollout_step::Open>(&step);
    return open == nullptr ? std::nullopt : std::optional(open->turn);
}

bool stays(RolloutStep const& step) { return std::holds_alternative<rollout_step::Stay>(step); }

std::string halted(RolloutStep const& step) {
    auto const* halt = std::get_if<rollout_step::Halt>(&step);
    return halt == nullptr ? "" : halt->why;
}

Rollout const slow{{100, 1000, all_nodes}, 600, 200};
Rollout const quick{{100, 1000, all_nodes}, 0, std::nullopt};

}  // namespace

TEST_CASE("a rollout begins with its first stage, rounded up to whole nodes") {
    for (auto const& [count, upto] : std::vector<std::pair<std::size_t, std::uint64_t>>{
             {2, 10}, {99, 10}, {100, 10}, {101, 20}, {200, 20}, {201, 30}}) {
        CAPTURE(count);
        CHECK(opened(next_step(slow, std::nullopt, many(count, '.'), begun)) == turn(0, upto));
    }
    CHECK(opened(next_step({{all_nodes}}, std::nullopt, many(7, '.'), begun)) == turn(0, last_place));
}

TEST_CASE("nodes are counted by their places, in whatever order they are told") {
    auto reversed = many(200, '.');
    std::reverse(reversed.begin(), reversed.end());
    CHECK(opened(next_step(slow, std::nullopt, reversed, begun)) == turn(0, 20));
}

TEST_CASE("a stage ends when all of its nodes have come to an end and it has lasted its time") {
    auto fleet = many(200, '.');
    CHECK(stays(next_step(slow, turn(0, 20), fleet, after(10'000))));
    fleet[0].status = RolloutStatus::done;
    CHECK(stays(next_step(slow, turn(0, 20), fleet, after(10'000))));
    fleet[1].status = RolloutStatus::done;
    CHECK(stays(next_step(slow, turn(0, 20), fleet, after(599))));
    CHECK(opened(next_step(slow, turn(0, 20), fleet, after(600))) == RolloutTurn{1, 200, after(600), 0});
    CHECK(opened(next_step(quick, turn(0, 20), fleet, begun)) == RolloutTurn{1, 200, begun, 0});
}

TEST_CASE("the last stage is for everybody, also for nodes that are enrolled later, and there is none behind it") {
    auto fleet = many(20, 'd');
    auto const last = opened(next_step(quick, turn(1, 20), fleet, begun));
    REQUIRE(last);
    CHECK(last->stage == 2);
    CHECK(last->upto == last_place);
    CHECK(stays(next_step(quick, *last, fleet, after(10'000))));
    CHECK(stays(next_step({{all_nodes}, 0, 0}, turn(0, last_place), fleet, after(10'000))));
}

TEST_CASE("a node that is blocked holds up nobody, if another one shows that the release works") {
    CHECK(opened(next_step({{2000, all_nodes}}, turn(0, 20), nodes("db........"), begun))->stage == 1);
    CHECK(opened(next_step({{2000, all_nodes}}, turn(0, 20), nodes("fb........"), begun))->stage ==
          1);  // if it does not halt, that is an end
    CHECK(stays(next_step({{2000, all_nodes}}, turn(0, 20), nodes(".b........"), begun)));
}

TEST_CASE("where all nodes of a stage are blocked the next one that is not takes part, and the stage lasts on") {
    auto const wider = opened(next_step({{2000, all_nodes}, 600}, turn(0, 20), nodes("bb........"), after(30)));
    CHECK(wider == turn(0, 30));
    CHECK(stays(next_step({{2000, all_nodes}, 600}, turn(0, 30), nodes("bb........"), after(30))));
    CHECK(opened(next_step({{2000, all_nodes}, 600}, turn(0, 30), nodes("bbd......."), after(600)))->stage == 1);
    CHECK(opened(next_step({{2000, all_nodes}}, turn(0, 20), nodes("bbb......."), begun)) == turn(0, 40));
}

// Those who are blocked come back, be it all of them in the morning: more must never be let in than twice as many as
// the publisher said.
TEST_CASE("a stage never grows to more than twice its nodes, blocked ones included") {
    CHECK(opened(next_step({{2000, all_nodes}}, turn(0, 30), nodes("bbb......."), begun)) == turn(0, 40));
    CHECK(stays(next_step({{2000, all_nodes}}, turn(0, 40), nodes("bbbb......"), begun)));
    CHECK(stays(next_step({{2000, all_nodes}}, turn(0, 20), nodes("bbbb......"), begun)));
    CHECK(stays(next_step({{2000, all_nodes}}, turn(0, 20), nodes("bbbbbbbbb."), begun)));
}

TEST_CASE("a stage that was widened further than the next one begins takes nobody's turn away") {
    CHECK(opened(next_step({{1000, 1500, all_nodes}}, turn(0, 40), nodes("bbbd................"), begun)) ==
          RolloutTurn{1, 40, begun, 0});
}

TEST_CASE("where everybody is blocked a rollout waits") {
    CHECK(stays(next_step({{5000, all_nodes}}, turn(0, 20), nodes("bbbb"), after(1'000'000))));
    CHECK(stays(next_step({{100, all_nodes}}, turn(0, 10), nodes("b"), after(1'000'000))));
}

TEST_CASE("more failures than the share of those whose turn it is halt a rollout, be there others under way or not") {
    Rollout const tenth{{5000, all_nodes}, 0, 1000};
    CHECK(stays(next_step(tenth, turn(0, 100),
                          nodes("fddd......"
                                "fddddddddd"),
                          begun)));
    CHECK(halted(next_step(tenth, turn(0, 100),
                           nodes("ffdd......"
                                 "ddddddddd."),
                           begun)) == "it failed on 2 of the 10 nodes whose turn it was, and more than 10 % may not");
    CHECK(halted(next_step({{all_nodes}, 0, 0}, turn(0, last_place), nodes("f"), begun)) ==
          "it failed on 1 of the 1 node whose turn it was, and more than 0 % may not");
    CHECK(stays(next_step({{all_nodes}, 0, all_nodes}, turn(0, last_place), nodes("ffff"), begun)));
    CHECK_FALSE(
        halted(next_step(tenth, turn(1, last_place), nodes("dddfff"), begun)).empty());  // in the last stage too
}

TEST_CASE("a rollout that halts on nothing goes on over failures") {
    auto fleet = many(200, '.');
    fleet[0].status = fleet[1].status = RolloutStatus::failed;
    CHECK(opened(next_step(quick, turn(0, 20), fleet, begun))->stage == 1);
}

TEST_CASE("failures that an operator has accepted do not halt it again, a further one does") {
    Rollout const strict{{5000, all_nodes}, 0, 0};
    CHECK(opened(next_step(strict, turn(0, 40, 2), nodes("ffdd...."), begun)) == RolloutTurn{1, last_place, begun, 2});
    CHECK(stays(next_step(strict, turn(0, 40, 2), nodes("ffd....."), begun)));
    CHECK_FALSE(halted(next_step(strict, turn(0, 40, 2), nodes("fff....."), begun)).empty());
    CHECK(opened(next_step(strict, turn(0, 40, 2), nodes("fddd...."), begun))->accepted_failures == 2);
}

TEST_CASE(
    "with no node at all a rollout begins with nobody, and the first ones that are enrolled take part one by one") {
    CHECK(opened(next_step(quick, std::nullopt, {}, begun)) == turn(0, 0));
    CHECK(stays(next_step(quick, turn(0, 0), {}, after(10'000))));
    CHECK(opened(next_step(quick, turn(0, 0), nodes(".."), after(10))) == turn(0, 10));
    CHECK(opened(next_step({{all_nodes}}, std::nullopt, {}, begun)) == turn(0, last_place));
}

// With a fleet of one, 1 % is that one: whoever is enrolled meanwhile is not of the 1 %.
TEST_CASE("nodes that are enrolled later do not all fall into a stage that is not the last") {
    CHECK(opened(next_step(quick, std::nullopt, nodes("."), begun)) == turn(0, 10));
    CHECK(opened(next_step({{9999, all_nodes}}, std::nullopt, nodes("..."), begun)) == turn(0, 30));
    auto const progress = progress_of(quick, turn(0, 10), nodes("...."));
    CHECK(progress.members == 1);
}

TEST_CASE("progress counts those whose turn it is, and nobody else") {
    auto const progress = progress_of(slow, turn(1, 60), nodes("ddfb.bffffff"));
    CHECK(progress == RolloutProgress{2, 3, 1000, 6, 2, 1, 2});
    CHECK(progress_of(slow, turn(0, 0), nodes("dd")) == RolloutProgress{1, 3, 100, 0, 0, 0, 0});
    CHECK(progress_of(slow, turn(99, last_place), nodes("d")).stage == 3);  // an order that is damaged
}

TEST_CASE("a stage begins anew when the clock was set back, and lasts its time from there") {
    auto fleet = many(200, '.');
    fleet[0].status = fleet[1].status = RolloutStatus::done;
    auto const again = opened(next_step(slow, turn(0, 20), fleet, after(-10'000)));
    REQUIRE(again == RolloutTurn{0, 20, after(-10'000), 0});
    CHECK(stays(next_step(slow, *again, fleet, after(-10'000 + 599))));
    CHECK(opened(next_step(slow, *again, fleet, after(-10'000 + 600))) == RolloutTurn{1, 200, after(-10'000 + 600), 0});
}

TEST_CASE("nodes that are away count as if they were not there") {
    Rollout const one{{1000, all_nodes}, 0, 200};
    auto const wider = opened(next_step(one, turn(0, 10), nodes("aaaaaaaaap"), after(1)));
    REQUIRE(wider);  // also where nine of ten are off for good
    CHECK(wider->upto == 100);
    CHECK(halted(next_step(one, turn(0, 100), nodes("aaaaaaaaaf"), after(1))) ==
          "it failed on 1 of the 1 node whose turn it was, and more than 2 % may not");
    CHECK(opened(next_step(one, turn(0, 100), nodes("aaaaaaaaad"), after(1)))->stage == 1);
}

TEST_CASE("nodes that are gone for good, and were held when they were seen last, keep no rollout from going on") {
    Rollout const one{{1000, all_nodes}, 0, 200};
    auto const wider = opened(next_step(one, turn(0, 20), nodes("BBp......."), after(1)));
    REQUIRE(wider);
    CHECK(wider->upto == 30);
    CHECK(opened(next_step(one, turn(0, 30), nodes("BBd......."), after(1)))->stage == 1);
}

TEST_CASE("nodes that come to no end count as blocked when the patience with them is over") {
    Rollout const half{{5000, all_nodes}, 0, std::nullopt};
    auto const fleet = nodes("d.......");
    CHECK(stays(next_step(half, turn(0, 40), fleet, after(3600), std::chrono::hours(1))));
    CHECK(opened(next_step(half, turn(0, 40), fleet, after(3601), std::chrono::hours(1)))->stage == 1);
    CHECK(progress_of(half, turn(0, 40), fleet, {after(3600), std::chrono::hours(1)}).blocked == 0);
    CHECK(progress_of(half, turn(0, 40), fleet, {after(3601), std::chrono::hours(1)}).blocked == 3);
    CHECK(stays(next_step(half, turn(0, 40), nodes("........"), after(3601), std::chrono::hours(1))));
}

}  // namespace rollout_steps_test
