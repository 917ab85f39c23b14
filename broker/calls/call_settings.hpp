#pragma once

#include "core/byte_rate.hpp"

namespace lull::broker {

// The bounds of remote calls. A refusal names the one that it is due to.
struct CallSettings {
    ByteRate rate = ByteRate(50'000'000);              // bytes a second that senders may send for all calls together
    Duration time = std::chrono::minutes(10);          // from begin to end of a program
    std::size_t per_node = 4;                          // calls of a node at once
    std::size_t per_minute = 60;                       // calls of a node
    std::size_t queue = 256;                           // calls that wait for a slot, of each software
    Duration queue_time = std::chrono::minutes(1);     // that a call waits for a slot
    Duration prepare_time = std::chrono::minutes(10);  // that an executor takes to fetch and verify a release
    Duration start_time = std::chrono::minutes(1);     // that an executor takes from CALL-GO to "running"
    Duration stop_time = std::chrono::seconds(30);     // that an executor takes from CALL-CANCEL to its answer
    std::size_t live = 1024;                           // calls that have not ended
    std::size_t known = 65'536;                        // calls whose id is remembered
    Duration keep = std::chrono::minutes(10);          // that an id is remembered after the end of its call, at least
    std::size_t shown = 1000;                          // calls that an operator sees
    std::size_t executors = 1024;
    std::size_t sessions = 8;  // of a node, for calls only
    std::uint64_t life = 1;    // of this broker: what ids belong to
    bool operator==(CallSettings const&) const = default;
};

}  // namespace lull::broker
