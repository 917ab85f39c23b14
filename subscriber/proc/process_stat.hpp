#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/files.hpp"

namespace lull::subscriber {

// What we need of /proc/PID/stat (proc(5)).
struct ProcessStat {
    dev_t terminal = 0;  // controlling terminal; 0: none
    WallTime started;    // to 10 ms; with the pid it tells a process from a later one of the same pid
    bool kernel_thread = false;
    std::uint64_t parent = 0;  // pid
};

// Nothing if the process is gone.
[[nodiscard]] Result<std::optional<ProcessStat>> read_process_stat(fs::path const& proc, std::uint64_t pid);

// Only printable ASCII; everything else becomes '?'. For text that a process or user chose.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace lull::subscriber
