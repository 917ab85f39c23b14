#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "broker/model/actions.hpp"
#include "broker/model/events.hpp"
#include "subscriber/agent/agent.hpp"

namespace lull::sim {

// Where a release stands on a node, as far as it decides what happens next.
struct RolloutStatus {
    std::uint8_t phase = 0;
    bool active = false;    // it is current
    bool reported = false;  // the broker has noted it
    bool wanted = false;    // bytes are with the fetcher
    std::uint8_t link = 0;
    auto operator<=>(RolloutStatus const&) const = default;

    [[nodiscard]] static RolloutStatus of(subscriber::Agent const& agent, SoftwareName const& software);
};

// What runs have reached: how often does not count.
class Coverage {
public:
    // A node's step of one software; a release that comes new stands at the default before.
    void step(RolloutStatus const& before, subscriber::Event const& event, RolloutStatus const& after);
    // What a broker made of an event: the kinds of its actions, and of the messages that it sends.
    void decision(broker::Event const& event, broker::Actions const& actions);

    [[nodiscard]] std::size_t standings() const { return standings_.size(); }
    [[nodiscard]] std::size_t steps() const { return steps_.size(); }
    [[nodiscard]] std::size_t decisions() const { return decisions_.size(); }

    // A line for each, so that `sort -u` counts what several processes have reached.
    void write(std::string const& file) const;

private:
    std::set<std::uint32_t> standings_;
    std::set<std::uint64_t> steps_;
    std::set<std::pair<std::uint32_t, std::uint64_t>> decisions_;
};

}  // namespace lull::sim
