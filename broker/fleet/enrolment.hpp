#pragma once

#include <functional>
#include <set>

#include "broker/fleet/peers.hpp"
#include "broker/model/effects.hpp"

namespace lull::broker {

// Takes new nodes into the register of keys, on behalf of an operator.
class Enrolment {
public:
    Enrolment(Peers& peers, Effects& effects) : peers_(peers), effects_(effects) {}

    // Calls `then` when the node is durable; only then may it connect: a key that a crash forgets must not have been
    // let in. If it cannot be enrolled, the session is told why.
    void enrol(SessionId session, Admin const& message, Moment now, std::function<void(Moment)> then);

private:
    Peers& peers_;
    Effects& effects_;
    std::set<std::pair<std::string, PeerKey>> pending_;  // on their way to the disk
};

}  // namespace lull::broker
