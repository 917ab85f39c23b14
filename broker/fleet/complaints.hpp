#pragma once

#include <bit>
#include <string_view>

#include "broker/fleet/last_seen.hpp"
#include "broker/fleet/peers.hpp"
#include "broker/model/effects.hpp"

namespace lull::broker {

// Logs what a peer did wrong: the first time, the second, the fourth, and so on, so that a peer cannot flood the log.
class Complaints {
public:
    Complaints(Peers const& peers, LastSeen& last_seen, Effects& effects)
        : peers_(peers),
          last_seen_(last_seen),
          effects_(effects) {}

    void about(PeerKey const& peer, std::string_view text) {
        auto const* known = peers_.find(peer);
        if (known == nullptr) return;  // its key was removed: the authenticator has closed the connection
        auto const count = last_seen_.complain(peer);
        if (std::has_single_bit(count))
            effects_.say(LogLevel::warn, fmt::format("from '{}' (complaint number {}): {}", known->name, count, text));
    }

private:
    Peers const& peers_;
    LastSeen& last_seen_;
    Effects& effects_;
};

}  // namespace lull::broker
