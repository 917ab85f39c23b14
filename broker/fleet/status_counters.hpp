#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "schema/messages.hpp"

namespace lull::broker {

// What counts of a node's row about a software.
struct NodeReport {
    Seq seq;  // the release that the node reported on last
    NodeState state = NodeState::undistributed;
    std::optional<Seq> active{};
    bool operator==(NodeReport const&) const = default;
};

// Whether a node has been heard of within the time that the broker waits for it.
enum class Presence : std::uint8_t { present, away };

// The state of a release on a node with this row. A release that is still active while a newer one is on its way counts
// as active.
[[nodiscard]] NodeState state_of(Seq release, std::optional<NodeReport> const& row);

// How many nodes have which row about one software, by release. A change of a row costs the same however many rows
// there are.
class StatusCounters {
public:
    static constexpr std::size_t states = static_cast<std::size_t>(enum_last(NodeState{})) + 1;

    void add(NodeReport const& row, Presence presence) { change(row, presence, 1); }
    void remove(NodeReport const& row, Presence presence) { change(row, presence, -1); }

    struct Counts {
        std::array<std::uint64_t, states> nodes{};  // by state_of(); rows only, so never `undistributed`
        std::uint64_t away_active = 0;              // of those in which it is active: nodes that are away
    };
    // Costs the number of releases that any row names.
    [[nodiscard]] Counts counts(Seq release) const;
    // The releases that are active somewhere, and on how many nodes.
    [[nodiscard]] std::map<Seq, std::uint64_t> active() const;
    [[nodiscard]] std::uint64_t active_on(Seq release) const;
    // All releases that a row names.
    [[nodiscard]] std::vector<Seq> releases() const;

private:
    struct OfRelease {
        std::array<std::int64_t, states> reported{};
        std::int64_t total = 0;          // sum of `reported`
        std::int64_t active = 0;         // rows whose active release this is
        std::int64_t active_beside = 0;  // of them: rows that report on another release
        std::int64_t active_behind = 0;  // of them: rows that report on a later release
        std::int64_t away_active = 0;
    };
    void change(NodeReport const& row, Presence presence, std::int64_t by);

    std::map<Seq, OfRelease> releases_;
};

}  // namespace lull::broker
