#include "failing_sync.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace {

std::atomic<bool>& failing() {
    static std::atomic<bool> is_failing = false;
    return is_failing;
}

int sync_by(long number, int fd) {
    if (!failing()) return static_cast<int>(syscall(number, fd));
    errno = EIO;
    return -1;
}

}  // namespace

namespace lull::store::test {

void fail_every_sync() { failing() = true; }

}  // namespace lull::store::test

// The executable's own symbols come before those of the C library, also for LMDB.
extern "C" int fsync(int fd) { return sync_by(SYS_fsync, fd); }
extern "C" int fdatasync(int fd) { return sync_by(SYS_fdatasync, fd); }
