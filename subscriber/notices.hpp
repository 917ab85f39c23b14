#pragma once

#include <optional>
#include <string>

#include "core/files.hpp"
#include "schema/messages.hpp"

namespace lull::subscriber {

// What a holder is told.
struct Notice {
    SoftwareName software;
    VersionName running;   // the version that it holds
    VersionName ready;     // the one that waits for it
};

// The two lines, for a terminal (CR LF, printable ASCII only).
[[nodiscard]] std::string notice_text(Notice const& notice, Holder const& holder);

// The device of a process's controlling terminal (/dev/pts/N, /dev/ttyN, /dev/ttySN), if it has one that exists.
[[nodiscard]] std::optional<fs::path> controlling_terminal(std::uint64_t pid);

// Writes the notice to the holder's terminal without ever waiting. True if all of it was taken; no terminal, a
// stopped one, or another process under that pid: false.
[[nodiscard]] bool tell(Notice const& notice, Holder const& holder);

}  // namespace lull::subscriber
