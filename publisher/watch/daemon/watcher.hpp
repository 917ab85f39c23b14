#pragma once

#include "core/log.hpp"
#include "publisher/watch/daemon/release_job.hpp"

namespace lull::publisher::watch {

// Whether the kernel is asked to report changes, or the interval scan has to find them all.
enum class KernelEvents { used, unused };

struct WatchRequest {
    fs::path directory;                // absolute, without links
    std::optional<SoftwareName> only;  // the directory itself is this software; nothing: its subdirectories
    WatchTimes times;
    KernelEvents kernel = KernelEvents::used;
    fs::path state;  // directory of state file and lock
};

// Subdirectories of a watched directory that may be software: what it lists is either a name or a complaint (a symbolic
// link, or a name that no software can have). Names that begin with a dot, lost+found, and what is no directory are
// skipped. Fault::failed if it cannot be listed.
[[nodiscard]] Result<event::Listed> list_software(fs::path const& directory);

// Watches until SIGINT or SIGTERM, and releases what changed. Fault::refused if another process watches this directory.
// Make it before any thread of the process.
[[nodiscard]] Status run_watcher(WatchRequest const& request, Publisher const& publisher, Log& log);

}  // namespace lull::publisher::watch
