#pragma once

#include <unordered_map>

#include "broker/calls/call_settings.hpp"
#include "broker/fleet/node_number.hpp"

namespace lull::broker {

// How many calls each node has at once, and in a minute.
class CallQuota {
public:
    explicit CallQuota(CallSettings const& settings) : settings_(settings) {}

    enum class Verdict { granted, too_many, too_often };
    // Counts a call that begins, or says which bound it would break.
    [[nodiscard]] Verdict take(PeerKey const& node, TimePoint now);
    // A call of this node has ended.
    void release(PeerKey const& node);
    // Forgets nodes that have no call and had none lately.
    void forget_idle(TimePoint now);

private:
    struct Use {
        std::size_t live = 0;
        double left = 0;  // of the calls of a minute; grows evenly
        TimePoint at{};
    };
    void refill(Use& use, TimePoint now) const;

    CallSettings settings_;
    std::unordered_map<PeerKey, Use, PeerKeyHash> nodes_;
};

}  // namespace lull::broker
