#pragma once

#include <map>
#include <optional>
#include <vector>

#include "broker/delivery/governor/cross_traffic.hpp"
#include "broker/delivery/governor/reason.hpp"
#include "broker/delivery/governor/urgency.hpp"
#include "broker/delivery/governor/water_filling.hpp"

namespace lull::broker {

struct LineSettings {
    std::optional<ByteRate> link_speed{};  // of the interface, if it tells
    std::optional<ByteRate> configured{};  // by the operator: never more than this
    std::size_t transfers = 64;            // at once
    double ceiling = 0.97;                 // of the capacity, for all together
    double progress = 0.005;               // of the capacity, whatever others do; 0 by --only-quiet
    double active_above = 0.03;            // of the capacity: others use the line
    double quiet_below = 0.01;
    Duration quiet_after = std::chrono::seconds(1);
    ByteRate least_capacity = Mbit(10);  // while nothing has been learned
    bool operator==(LineSettings const&) const = default;
};

using PathId = std::uint64_t;

// A path with something to send, as the governor must know it.
struct PathClaim {
    PathId path = 0;
    Urgency urgency = Urgency::normal;
    ByteRate wanted;        // what the path itself could take now (PathController::wanted)
    std::size_t group = 0;  // index into LineLimits::caps
};

// What rules and clocks permit now; reckoned by the owner.
struct LineLimits {
    double window = 1;                           // share of the capacity that the current time window leaves to us
    std::vector<ByteRate> caps{ByteRate(1e12)};  // of groups and sites; the first is for paths without any
    ByteRate cross_traffic_elsewhere{};          // others' traffic by the operator's own reading, from a router
};

// What a path gets of it.
struct LineShare {
    PathId path = 0;
    ByteRate rate;             // zero: it waits
    std::size_t position = 0;  // in the queue, from 1; 0 for those that are served
    Reason reason = Reason::none;
};

// Level 2: watches the broker's own line and divides what others leave among the paths.
class LineGovernor {
public:
    explicit LineGovernor(LineSettings settings) : settings_(settings) {}

    // The counters of the interface that leads to the peers, every 20 ms.
    void on(CounterReading const& reading);

    // Frames of a path met a queue. If the line carried about as much as ever at that time, then that is its capacity.
    void path_congested(TimePoint now);

    // One share for each claim, in their order, which is the order of the queue among equals: the urgent are served
    // first.
    [[nodiscard]] std::vector<LineShare> divide(std::vector<PathClaim> const& claims, LineLimits const& limits) const;

    // The least of what is known: link speed, configuration, and, where the line was filled lately or nothing else is
    // known, the most that it has carried.
    [[nodiscard]] ByteRate capacity() const;
    [[nodiscard]] ByteRate cross_traffic() const { return traffic_.rate(); }
    [[nodiscard]] ByteRate budget(LineLimits const& limits) const;
    // Others use the line: since they took 3 % of it, until they took less than 1 % for a second.
    [[nodiscard]] bool active() const { return active_; }

private:
    [[nodiscard]] Reason why(PathClaim const& claim, ByteRate rate, LineLimits const& limits) const;

    LineSettings settings_;
    CrossTraffic traffic_;
    LineCapacity learned_;
    // A line that nobody has filled yet has not shown what it can do; one on which queues arose has.
    [[nodiscard]] bool filled() const { return now_ < filled_until_; }

    bool active_ = false;
    std::optional<TimePoint> quiet_since_;
    TimePoint now_{};
    TimePoint filled_until_{};
};

}  // namespace lull::broker
