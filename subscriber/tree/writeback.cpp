#include "subscriber/tree/writeback.hpp"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace lull::subscriber {

namespace {

constexpr Bytes large = MiB(1);        // from here on a piece is written back by itself
constexpr Bytes most_small = MiB(64);  // in memory only

}  // namespace

Status Writeback::run(int file, Bytes offset, Bytes length, unsigned flags) const {
    auto const from = static_cast<off64_t>(offset.count());
    if (sync_file_range(file, from, static_cast<off64_t>(length.count()), flags) == 0) return {};
    if (errno == ENOSYS || errno == ESPIPE || errno == EINVAL) return {};  // not for this file system
    return fail_errno("write back what was written below", path_);
}

Status Writeback::wrote(int file, Bytes offset, Bytes length) {
    if (length < large) {
        small_ += length;
        return small_ < most_small ? Status() : sync_all();
    }
    if (auto begun = run(file, offset, length, SYNC_FILE_RANGE_WRITE); !begun) return begun;
    auto const before = std::exchange(large_, {FileDescriptor(fcntl(file, F_DUPFD_CLOEXEC, 0)), offset, length});
    if (!before.file.valid()) return {};
    constexpr unsigned until_written = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    return run(before.file.get(), before.offset, before.length, until_written);
}

Status Writeback::sync_all() {
    large_ = {};
    small_ = Bytes();
    if (syncfs(directory_) == 0) return {};
    return fail_errno("make durable", path_);
}

bool syncfs_reports_errors() {
    utsname names{};
    if (uname(&names) != 0) return false;
    char* rest = nullptr;
    auto const major = std::strtol(names.release, &rest, 10);
    auto const minor = *rest == '.' ? std::strtol(rest + 1, nullptr, 10) : 0;
    return major > 5 || (major == 5 && minor >= 8);
}

}  // namespace lull::subscriber
