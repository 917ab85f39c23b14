#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/fleet/node_number.hpp"
#include "core/clock.hpp"
#include "schema/messages.hpp"

namespace lull::broker {

// What the HELLOs of each node show beside its software: how wrong its clock is, what keeps it from recording
// anything, and whether two machines use its identity. In memory only: the next HELLO shows it anew.
class NodeFacts {
public:
    // A machine is known by `machine` and by its boot id. A boot id never comes back after another one, but for a
    // machine that was put back to a snapshot of its running memory, once. So when the node's HELLOs come from one
    // machine, from another one, and from both of them again, both run.
    struct Heard {
        std::optional<std::string> note{};    // for the log of this machine: it is the one that came later
        bool second_machine_is_news = false;  // for the log of the broker
    };
    [[nodiscard]] Heard heard(PeerKey const& node, Hello const& hello, Moment now);
    void forget(PeerKey const& node) { facts_.erase(node); }

    // The node's clock minus this machine's, if it is wrong by more than a minute.
    [[nodiscard]] std::optional<std::chrono::microseconds> clock_ahead(PeerKey const& node) const;
    // Why the node can record nothing.
    [[nodiscard]] std::string const* trouble(PeerKey const& node) const;
    // For operators.
    [[nodiscard]] std::vector<std::string> notes(PeerKey const& node, TimePoint now) const;

private:
    struct Machines {
        std::uint64_t first = 0;    // of the two, the one that was heard of first
        std::uint64_t current = 0;  // of the last HELLO
        std::uint64_t other = 0;    // before that; 0: none
        unsigned returns = 0;       // how often `other` has become `current` again
        TimePoint returned{};       // when that was last
    };
    struct Facts {
        Machines machines;
        std::chrono::microseconds clock_ahead{};
        std::optional<std::string> trouble;
    };
    [[nodiscard]] static bool are_two(Machines const& machines, TimePoint now);
    static void turn(Machines& machines, std::uint64_t machine, TimePoint now);

    std::unordered_map<PeerKey, Facts, PeerKeyHash> facts_;
};

}  // namespace lull::broker
