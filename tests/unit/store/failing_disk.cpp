#include "failing_disk.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace {

std::atomic<bool> syncs_fail = false;
std::atomic<bool> meta_pages_fail = false;

int sync_by(long number, int fd) {
    if (!syncs_fail) return static_cast<int>(syscall(number, fd));
    errno = EIO;
    return -1;
}

}  // namespace

namespace lull::store::test {

void fail_every_sync() { syncs_fail = true; }
void fail_every_meta_page() { meta_pages_fail = true; }

}  // namespace lull::store::test

// The executable's own symbols come before those of the C library, also for LMDB.
extern "C" int fsync(int fd) { return sync_by(SYS_fsync, fd); }
extern "C" int fdatasync(int fd) { return sync_by(SYS_fdatasync, fd); }
// LMDB calls pwrite by this name, which <unistd.h> may have turned into another one (_FILE_OFFSET_BITS).
extern "C" ssize_t pwrite_for_lmdb(int fd, void const* bytes, size_t size, off_t offset) __asm__("pwrite");
extern "C" ssize_t pwrite_for_lmdb(int fd, void const* bytes, size_t size, off_t offset) {
    if (!meta_pages_fail || offset >= 2 * sysconf(_SC_PAGESIZE)) return syscall(SYS_pwrite64, fd, bytes, size, offset);
    errno = ENOSPC;
    return -1;
}
