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

}  // namespace

namespace lull::store::test {

void fail_every_sync() { failing() = true; }

}  // namespace lull::store::test

// The executable's own symbol comes before that of the C library, also for LMDB.
extern "C" int fdatasync(int fd) {
    if (!failing()) return static_cast<int>(syscall(SYS_fdatasync, fd));
    errno = EIO;
    return -1;
}
