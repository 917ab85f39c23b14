#include "broker/rollout/rollout_tally.hpp"

#include <catch2/catch.hpp>
#include <random>

namespace rollout_tally_test {

using namespace lull;
using namespace lull::broker;

namespace {

bool is_away(RolloutTally::Node const& node) {
    return (node.status == RolloutStatus::pending || node.status == RolloutStatus::blocked) &&
           node.presence == Presence::away;
}

// The same figures by a look at every node.
RolloutTally::Members counted(std::vector<RolloutTally::Node> const& nodes, std::uint64_t last_rank) {
    RolloutTally::Members members;
    for (auto const& node : nodes) {
        if (node.rank > last_rank) continue;
        ++members.all;
        members.done += node.status == RolloutStatus::done;
        members.failed += node.status == RolloutStatus::failed;
        members.blocked += node.status == RolloutStatus::blocked && !is_away(node);
        members.pending += node.status == RolloutStatus::pending && !is_away(node);
        members.away += is_away(node);
    }
    return members;
}

std::tuple<std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t> figures(
    RolloutTally::Members const& m) {
    return {m.all, m.done, m.failed, m.blocked, m.pending, m.away};
}

}  // namespace

TEST_CASE("members are counted as a look at every node finds them, whatever changes") {
    std::mt19937_64 random(GENERATE(1, 2, 3, 4, 5));
    auto const below = [&](std::uint64_t end) { return random() % end; };
    std::vector<RolloutTally::Node> nodes;
    RolloutTally tally;
    std::uint64_t last_rank = 300;
    tally.open(last_rank);
    for (int i = 0; i < 3000; ++i) {
        auto const action = below(20);
        if (action == 0) {
            std::vector<RolloutTally::Node> further;
            for (auto count = below(4); count-- > 0;)
                further.push_back({below(1000), static_cast<RolloutStatus>(below(4)), static_cast<Presence>(below(2))});
            tally.add(further);
            nodes.insert(nodes.end(), further.begin(), further.end());
        } else if (action == 1) {
            tally.open(last_rank = below(1000));
        } else if (!nodes.empty()) {
            auto const number = static_cast<NodeNumber>(below(nodes.size()));
            if (action < 10) {
                tally.set_status(number, nodes[number].status = static_cast<RolloutStatus>(below(4)));
            } else {
                tally.set_presence(number, nodes[number].presence = static_cast<Presence>(below(2)));
            }
        }
        REQUIRE(figures(tally.members()) == figures(counted(nodes, last_rank)));
    }
    auto sorted = nodes;
    std::ranges::sort(sorted, {}, &RolloutTally::Node::rank);
    for (std::size_t i = 1; i <= sorted.size(); ++i) CHECK(tally.rank_of_first(i) == sorted[i - 1].rank);
    CHECK(tally.rank_of_first(0) == 0);
}

TEST_CASE("the next node that can take part is neither blocked nor away, and those before it are counted") {
    RolloutTally tally;
    using enum RolloutStatus;
    tally.add({{10, blocked}, {20, pending, Presence::away}, {30, blocked}, {40, pending, Presence::away}, {50}, {60}});
    tally.open(20);
    auto const next = tally.next_able(RolloutTally::Pending::takes_part);
    REQUIRE(next);
    CHECK(next->rank == 50);
    CHECK(next->before == 2);
    CHECK_FALSE(tally.next_able(RolloutTally::Pending::is_too_slow));
}

TEST_CASE("what is told of a node without a rank is left to the one who adds it") {
    RolloutTally tally;
    tally.open(100);
    tally.set_status(3, RolloutStatus::failed);
    tally.set_presence(3, Presence::away);
    CHECK(tally.members().all == 0);
}

}  // namespace rollout_tally_test
