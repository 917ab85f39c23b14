#pragma once

#include <optional>

#include "schema/ids.hpp"
#include "store/environment.hpp"

namespace lull::broker {

// Which log this is, and how far its numbers have come. Kept in the table `meta`.
struct LogIdentity {
    Epoch epoch;
    Seq used{};           // no further entry gets a number up to here
    Seq removed{};        // entries up to here may be missing: superseded ones, that nobody needs
    bool copied = false;  // `lull-broker backup` made this copy, and it has not been run yet

    bool operator==(LogIdentity const&) const = default;
};

// The log that ends at `head` goes on under another identity, and its numbers at the Unix time (s), but at least at the
// next million: what was published after the copy was made, and is lost here, keeps its numbers for itself, also if a
// copy is restored twice.
[[nodiscard]] LogIdentity renewed(LogIdentity const& old, Seq head, Epoch fresh, WallTime now);

// What the table `meta` says; nothing before `init` is complete. Fault::damaged if it cannot be read.
[[nodiscard]] Result<std::optional<LogIdentity>> load_log_identity(store::Environment const& database);
// Makes the table say this.
[[nodiscard]] store::Batch changes_to(LogIdentity const& identity);

}  // namespace lull::broker
