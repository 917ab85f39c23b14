#pragma once

#include "broker/fleet/last_seen.hpp"
#include "broker/fleet/node_status_table.hpp"
#include "broker/fleet/peers.hpp"
#include "broker/log/release_log.hpp"
#include "broker/orders/order_book.hpp"
#include "broker/patches/patches.hpp"

namespace lull::broker {

// What the broker knows for good: as it stands in its tables.
struct BrokerState {
    explicit BrokerState(LogIdentity const& log) : release_log(log) {}
    Peers peers;
    ReleaseLog release_log;
    NodeStatusTable node_status;
    OrderBook orders;
    Patches patches;
    LastSeen last_seen;
};

}  // namespace lull::broker
