#pragma once

#include "broker/calls/call_quota.hpp"
#include "broker/calls/call_table.hpp"
#include "broker/calls/executors.hpp"
#include "broker/log/release_log.hpp"

namespace lull::broker {

// Why a call is not taken on, or ends.
struct CallCause {
    CallReason reason = CallReason::invalid;
    std::string text;  // for the caller
};

// Decides whether a call is taken on: its release and program, the limits that it asks for, and the bounds for each
// node and for all of them. Owns how many calls each node has.
class CallAdmission {
public:
    struct Parts {
        ReleaseLog const& log;
        CallTable const& table;
        Executors const& executors;
    };
    CallAdmission(Parts parts, CallSettings const& settings) : parts_(parts), settings_(settings), quota_(settings) {}

    // Fills in the program and the time where the caller left them to the broker. Nothing: the request is good.
    [[nodiscard]] std::optional<CallCause> complete(Call& request) const;
    // Counts the call against the bounds of its node. `waiting` calls of this software are in the queue. Nothing: there
    // was room.
    [[nodiscard]] std::optional<CallCause> take_room(Call const& request, PeerKey const& node, std::size_t waiting,
                                                     TimePoint now);
    // A call of this node that was taken on has ended.
    void release(PeerKey const& node) { quota_.release(node); }
    void forget_idle(TimePoint now) { quota_.forget_idle(now); }

private:
    [[nodiscard]] std::optional<CallCause> complete_program(Call& request, Release const& release) const;

    Parts parts_;
    CallSettings settings_;
    CallQuota quota_;
};

}  // namespace lull::broker
