#include "broker/fleet/status_counters.hpp"

#include <catch2/catch.hpp>
#include <random>

namespace status_counters_test {

using namespace lull;
using namespace lull::broker;

namespace {

struct Node {
    std::optional<NodeReport> row;
    Presence presence = Presence::present;
};

// The same figures by a look at every node.
StatusCounters::Counts counted(std::vector<Node> const& nodes, Seq release) {
    StatusCounters::Counts counts;
    for (auto const& node : nodes) {
        if (!node.row) continue;
        auto const state = state_of(release, node.row);
        if (state == NodeState::undistributed) continue;
        ++counts.nodes[static_cast<std::size_t>(state)];
        if (state == NodeState::active && node.presence == Presence::away) ++counts.away_active;
    }
    return counts;
}

}  // namespace

TEST_CASE("counters are what a look at every node finds, whatever changes") {
    std::mt19937_64 random(GENERATE(1, 2, 3, 4, 5));
    auto const below = [&](std::uint64_t end) { return random() % end; };
    std::vector<Node> nodes(40);
    StatusCounters counters;
    for (int i = 0; i < 3000; ++i) {
        auto& node = nodes[below(nodes.size())];
        if (node.row) counters.remove(*node.row, node.presence);
        if (below(4) == 0) node.presence = node.presence == Presence::away ? Presence::present : Presence::away;
        auto const state = static_cast<NodeState>(1 + below(StatusCounters::states - 1));
        node.row = NodeReport{Seq{1 + below(6)}, state, std::nullopt};
        if (below(3) > 0) node.row->active = Seq{1 + below(6)};
        counters.add(*node.row, node.presence);
        Seq const release{below(8)};
        auto const expected = counted(nodes, release);
        auto const found = counters.counts(release);
        REQUIRE(found.nodes == expected.nodes);
        REQUIRE(found.away_active == expected.away_active);
    }
    std::map<Seq, std::uint64_t> active;
    for (auto const& node : nodes) {
        if (node.row && node.row->active) ++active[*node.row->active];
    }
    CHECK(counters.active() == active);
    for (auto& node : nodes) {
        if (node.row) counters.remove(*node.row, node.presence);
    }
    CHECK(counters.releases().empty());  // nothing is kept of releases that no row names
}

}  // namespace status_counters_test
