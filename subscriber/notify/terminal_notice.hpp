#pragma once

#include <optional>
#include <string>

#include "subscriber/notify/notice_text.hpp"

namespace lull::subscriber {

// The usual words of a notice, for a terminal.
[[nodiscard]] std::string notice_text(Notice const& notice, Holder const& holder);

// The device of a process's controlling terminal (/dev/pts/N, /dev/ttyN, /dev/ttySN), if it has one that exists.
[[nodiscard]] std::optional<fs::path> controlling_terminal(std::uint64_t pid);

// Writes the notice, in the words of `text`, to the holder's terminal without ever waiting. True if all of it was
// taken; no terminal, a stopped one, or another process under that pid: false.
[[nodiscard]] bool tell(Notice const& notice, Holder const& holder, NoticeText const& text = {});

}  // namespace lull::subscriber
