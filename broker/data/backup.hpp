#pragma once

#include <stop_token>

#include "broker/data/data_directory.hpp"

namespace lull::broker {

struct BackupOutcome {
    Seq head;  // of the log in the copy
    std::size_t releases = 0;
    std::size_t objects = 0;
    Bytes bytes{};  // of packs
};

// Copies a broker's data directory to `to`, which must not exist yet, while the broker may be running. The copy is
// complete, durable and checked by opening it before it gets its name, and marked, so that a broker that runs from it
// takes a new epoch for its log. What crashes of earlier backups to the same place left is removed first.
// Fault::refused if `to` exists or lies within the directory, or if another process makes a backup of this name;
// Fault::cancelled if it was stopped: then nothing is left.
[[nodiscard]] Result<BackupOutcome> back_up(DataDirectory const& from, fs::path const& to,
                                            std::stop_token const& stop = {});

}  // namespace lull::broker
