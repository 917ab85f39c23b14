#pragma once

#include <sys/types.h>

#include "core/files.hpp"
#include "publisher/watch/events.hpp"

namespace lull::publisher::watch {

// What a watcher writes down: for `lull watch --status`, and so that it releases nothing twice after a restart. Losing
// it costs a comparison with the broker's releases.
struct WatchState {
    std::string directory;
    pid_t pid = 0;
    std::string started;  // when this process started, as /proc has it
    WallTime written;
    std::string kernel;  // whether the kernel reports changes, for people
    std::vector<SoftwareStatus> software;
    std::vector<std::string> invalid;                // names that no software can have, with the reason
    std::map<SoftwareName, LastRelease> remembered;  // of all software, also of what is gone
    bool operator==(WatchState const&) const = default;

    // Fault::not_found if there is none; Fault::damaged if it is none of ours.
    [[nodiscard]] static Result<WatchState> load(fs::path const& file);
    [[nodiscard]] Status save(fs::path const& file) const;
};

// The file for a watched directory, by the directory's path, and the lock beside it.
[[nodiscard]] fs::path state_file(fs::path const& state, fs::path const& directory);
[[nodiscard]] fs::path lock_file(fs::path const& state, fs::path const& directory);

// When a process started, in the kernel's ticks; empty if there is none with this number.
[[nodiscard]] std::string start_of_process(pid_t pid);

}  // namespace lull::publisher::watch
