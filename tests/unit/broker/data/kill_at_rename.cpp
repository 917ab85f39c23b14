#include "kill_at_rename.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <csignal>

namespace {

std::atomic<bool> kills = false;

}  // namespace

namespace lull::broker::test {

void kill_at_next_rename() { kills = true; }

}  // namespace lull::broker::test

// The executable's own symbol comes before that of the C library.
extern "C" int rename(char const* from, char const* to) {
    if (kills) static_cast<void>(raise(SIGKILL));
    return static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
