#pragma once

#include "broker/data/backup.hpp"
#include "core/command_line.hpp"

namespace lull::broker {

// `lull-broker backup`: copies a broker while it runs.
[[nodiscard]] Command backup_command();

struct BackupRequest {
    DataDirectory from;
    fs::path to;
    bool operator==(BackupRequest const&) const = default;
};

// What the arguments of `backup` ask for.
[[nodiscard]] BackupRequest backup_request(Arguments const& arguments);

}  // namespace lull::broker
