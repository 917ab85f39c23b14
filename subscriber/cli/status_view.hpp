#pragma once

#include <string>

#include "subscriber/disk/link_state.hpp"
#include "subscriber/journal/journal.hpp"

namespace lull::subscriber {

// What `lull-node status` shows: figure 6 of the patent, for this node.
struct StatusView {
    NodeName node;
    std::string broker;
    std::optional<LinkState> link;
    bool runs = false;  // the daemon
    Cursor cursor;
    struct Row {
        SoftwareName software;
        ReleaseRef release;  // the newest that was announced
        Phase phase = Phase::announced;
        WallTime since;
        std::string why;
        std::vector<Holder> holders;
        std::optional<ReleaseRef> active;
        bool reported = false;              // the broker has noted this state
        std::optional<ScanRecord> scan;     // nothing: it was not looked at yet
        fs::path lost_directory{};          // where scans put what is no part of a release
        std::vector<std::string> lost{};    // in there, the newest first; not all of them
        std::optional<std::string> held{};  // by which hold, also while no newer release waits
        std::optional<std::string> room{};  // why fewer versions are kept than usual
    };
    std::vector<Row> rows;
    Bytes incoming{};                   // stored bytes that are durable in incoming/
    std::optional<std::string> held{};  // the hold of all software
};

// Reads bundle, journal and link state, beside a running daemon or without one.
[[nodiscard]] Result<StatusView> read_status(Layout const& layout, WallTime now = SystemClock().wall());

[[nodiscard]] std::string to_table(StatusView const& view, WallTime now);
[[nodiscard]] std::string to_json(StatusView const& view);

}  // namespace lull::subscriber
