#include "install/sync_order.hpp"

#include <sys/syscall.h>
#include <unistd.h>
#include <cstdio>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <mutex>
#include <utility>

// The executable's own symbols come before those of the C library.

namespace lull::subscriber::test {

namespace {

std::mutex mutex;
std::vector<DiskCall>* recorded = nullptr;  // guarded by mutex
std::atomic<bool> syncfs_fails = false;

std::string path_of(int file) {
    std::array<char, 4096> path{};
    auto const link = "/proc/self/fd/" + std::to_string(file);
    auto const length = readlink(link.c_str(), path.data(), path.size());
    return length < 0 ? std::string() : std::string(path.data(), static_cast<std::size_t>(length));
}

void note(DiskCall::Kind kind, std::string path) {
    std::lock_guard const lock(mutex);
    if (recorded != nullptr) recorded->push_back({kind, std::move(path)});
}

bool recording() {
    std::lock_guard const lock(mutex);
    return recorded != nullptr;
}

template <class Call>
auto noted(DiskCall::Kind kind, int file, Call call) {
    auto const path = recording() ? path_of(file) : std::string();
    auto const result = call();
    if (result >= 0) note(kind, path);
    return result;
}

}  // namespace

DiskCalls::DiskCalls() {
    std::lock_guard const lock(mutex);
    recorded = new std::vector<DiskCall>();
}

DiskCalls::~DiskCalls() {
    std::lock_guard const lock(mutex);
    delete std::exchange(recorded, nullptr);
}

std::vector<DiskCall> DiskCalls::calls() const {
    std::lock_guard const lock(mutex);
    return *recorded;
}

void fail_syncfs(bool fails) { syncfs_fails = fails; }

}  // namespace lull::subscriber::test

using lull::subscriber::test::DiskCall;
using lull::subscriber::test::note;
using lull::subscriber::test::noted;

extern "C" int fsync(int file) {
    return noted(DiskCall::Kind::synced, file, [=] { return static_cast<int>(syscall(SYS_fsync, file)); });
}
extern "C" int syncfs(int file) noexcept {
    if (lull::subscriber::test::syncfs_fails) {
        errno = EIO;
        return -1;
    }
    return noted(DiskCall::Kind::synced_all, file, [=] { return static_cast<int>(syscall(SYS_syncfs, file)); });
}
// With _FILE_OFFSET_BITS=64 programs call pwrite64.
extern "C" ssize_t pwrite64(int file, void const* bytes, size_t size, off64_t at) {
    return noted(DiskCall::Kind::wrote, file, [=] { return syscall(SYS_pwrite64, file, bytes, size, at); });
}
extern "C" int renameat2(int from_directory, char const* from, int to_directory, char const* to,
                         unsigned flags) noexcept {
    auto const result = static_cast<int>(syscall(SYS_renameat2, from_directory, from, to_directory, to, flags));
    if (result == 0) note(DiskCall::Kind::named, to);
    return result;
}
extern "C" int rename(char const* from, char const* to) noexcept {
    auto const result = static_cast<int>(syscall(SYS_rename, from, to));
    if (result == 0) note(DiskCall::Kind::named, to);
    return result;
}
