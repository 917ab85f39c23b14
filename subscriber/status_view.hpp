#pragma once

#include <string>

#include "subscriber/link_state.hpp"
#include "subscriber/records.hpp"

namespace lull::subscriber {

// What `lull-node status` shows: figure 6 of the patent, for this node.
struct StatusView {
    NodeName node;
    std::string broker;
    std::optional<LinkState> link;
    Cursor cursor;
    struct Row {
        SoftwareName software;
        ReleaseRef release;              // the newest that was announced
        Phase phase = Phase::announced;
        WallTime since;
        std::string why;
        std::vector<Holder> holders;
        std::optional<ReleaseRef> active;
        bool reported = false;           // the broker has noted this state
        std::optional<ScanRecord> scan;  // nothing: it was not looked at yet
    };
    std::vector<Row> rows;
    Bytes incoming{};                    // stored bytes that are durable in incoming/
};

// Reads bundle, journal and link state, beside a running daemon or without one.
[[nodiscard]] Result<StatusView> read_status(Layout const& layout);

[[nodiscard]] std::string to_table(StatusView const& view, WallTime now);
[[nodiscard]] std::string to_json(StatusView const& view);

}  // namespace lull::subscriber
