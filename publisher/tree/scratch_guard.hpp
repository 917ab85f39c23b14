#pragma once

#include <sys/types.h>

#include <memory>

#include "core/files.hpp"

namespace lull::publisher {

// While it lives, SIGINT, SIGTERM and SIGHUP remove a directory before they end this process as they would without it.
// A child process does that: a signal handler may not. One a process at a time; a further one does nothing. A signal
// that is ignored stays so.
class ScratchGuard {
public:
    explicit ScratchGuard(fs::path const& directory);
    ~ScratchGuard();
    ScratchGuard(ScratchGuard const&) = delete;
    ScratchGuard& operator=(ScratchGuard const&) = delete;

private:
    FileDescriptor to_child_;
    pid_t child_ = -1;
};

}  // namespace lull::publisher
