#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "broker/fleet/node_number.hpp"
#include "broker/fleet/status_counters.hpp"

namespace lull::broker {

// How a node stands to a release in a rollout, by what it reported. blocked: the release is in use there, or held.
enum class RolloutStatus : std::uint8_t { pending, done, failed, blocked };
constexpr RolloutStatus enum_last(RolloutStatus) { return RolloutStatus::blocked; }
[[nodiscard]] RolloutStatus rollout_status(NodeState state);

// The nodes of one rollout, ordered by their ranks, and how many of those whose turn it is have which status. A change
// of one node costs the same however many nodes there are; an enrolment and a further stage cost a pass over them.
class RolloutTally {
public:
    struct Node {
        std::uint64_t rank = 0;  // place_in_rollout()
        RolloutStatus status = RolloutStatus::pending;
        Presence presence = Presence::present;
        bool removed = false;  // from the fleet: it does not count at all
    };

    // Takes further nodes; their numbers follow those that are here.
    void add(std::vector<Node> const& nodes);
    // The nodes up to this rank are members: it is their turn.
    void open(std::uint64_t last_rank);
    void set_status(NodeNumber node, RolloutStatus status);
    void set_presence(NodeNumber node, Presence presence);
    // The node counts no more; its number stays its own. Costs a pass over all nodes.
    void remove(NodeNumber node);

    struct Members {
        std::uint64_t all = 0;
        std::uint64_t done = 0;
        std::uint64_t failed = 0;
        std::uint64_t blocked = 0;
        std::uint64_t pending = 0;
        std::uint64_t away = 0;  // without a result, so they count as if they were not there
    };
    [[nodiscard]] Members const& members() const { return members_; }
    // Numbers that are known, those of removed nodes among them.
    [[nodiscard]] std::size_t size() const { return nodes_.size(); }
    // Nodes of the fleet.
    [[nodiscard]] std::size_t count() const { return in_order_.size(); }
    // The rank of the last of the first `count` nodes; 0 without any.
    [[nodiscard]] std::uint64_t rank_of_first(std::uint64_t count) const;

    // The next node behind the members that can take part.
    struct Next {
        std::uint64_t rank = 0;
        std::uint64_t before = 0;  // nodes before it that are not away
    };
    enum class Pending { takes_part, is_too_slow };
    [[nodiscard]] std::optional<Next> next_able(Pending pending) const;

private:
    [[nodiscard]] static bool is_away(Node const& node) {
        bool const ended = node.status == RolloutStatus::done || node.status == RolloutStatus::failed;
        return !ended && node.presence == Presence::away;
    }
    void count(Node const& node, std::uint64_t by);
    [[nodiscard]] bool is_member(Node const& node) const {
        return any_open_ && !node.removed && node.rank <= last_rank_;
    }

    std::vector<Node> nodes_;           // by number
    std::vector<NodeNumber> in_order_;  // by rank; without those that were removed
    bool any_open_ = false;
    std::uint64_t last_rank_ = 0;
    Members members_;
};

}  // namespace lull::broker
