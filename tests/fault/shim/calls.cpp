// The C library's functions that change files, as a program that is run with LD_PRELOAD sees them.
// Each does what the kernel does, unless the plan says that this is the call that goes wrong.

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <functional>

#include "tests/fault/shim/kernel.hpp"
#include "tests/fault/shim/plan.hpp"

using namespace lull::fault;

namespace {

// Performs a call as the plan has it.
template <class Perform>
long perform(Call const& call, Perform work) {
    auto& plan = Plan::of_process();
    auto const verdict = plan.judge(call);
    switch (verdict.deed) {
        case Deed::none:
        case Deed::shorten: return work();
        case Deed::fail: errno = verdict.error; return -1;
        case Deed::kill_before:
        case Deed::cut:
        case Deed::cut_late: plan.end(verdict.deed);
        case Deed::kill_after: work(); plan.end(verdict.deed);
    }
    return work();
}

// A write of `size` bytes to a file; `work` takes how many of them it has to write.
template <class Write>
ssize_t write_to(int file, char const* name, std::size_t size, Write work) {
    if (!is_file(file)) return work(size);
    auto& plan = Plan::of_process();
    auto const verdict = plan.judge({Kind::write, name, path_of(file), size});
    if (verdict.deed == Deed::none) return work(size);
    if (verdict.deed == Deed::fail) {
        if (verdict.only) return work(*verdict.only);
        if (plan.swallows_errors()) return static_cast<ssize_t>(size);
        errno = verdict.error;
        return -1;
    }
    if (verdict.only || verdict.deed == Deed::kill_after) {
        auto const done = work(verdict.only.value_or(size));
        if (verdict.deed == Deed::shorten) return done;
    }
    plan.end(verdict.deed);
}

std::size_t total(iovec const* parts, int count) {
    std::size_t sum = 0;
    for (int i = 0; i < count; ++i) sum += parts[i].iov_len;
    return sum;
}

// Parts that go to a file are written one after the other, so that a write can end anywhere.
ssize_t write_parts(int file, iovec const* parts, int count, off_t const* at) {
    auto const name = at != nullptr ? "pwritev" : "writev";
    auto const write_all = [=](std::size_t limit) -> ssize_t {
        if (limit == total(parts, count)) {
            return at != nullptr ? call_kernel(SYS_pwritev, file, parts, count, *at, 0)
                                 : call_kernel(SYS_writev, file, parts, count);
        }
        ssize_t done = 0;
        for (int i = 0; i < count && limit > 0; ++i) {
            auto const size = std::min(limit, parts[i].iov_len);
            auto const put = at != nullptr ? call_kernel(SYS_pwrite64, file, parts[i].iov_base, size, *at + done)
                                           : call_kernel(SYS_write, file, parts[i].iov_base, size);
            if (put < 0) return done > 0 ? done : put;
            done += put;
            limit -= static_cast<std::size_t>(put);
        }
        return done;
    };
    return write_to(file, name, total(parts, count), write_all);
}

int sync_file(char const* name, std::string path, std::function<long()> const& work) {
    auto const honest = [&] { return Plan::of_process().forgets_sync() ? 0 : work(); };
    return static_cast<int>(perform({Kind::sync, name, std::move(path)}, honest));
}

bool makes(std::uint64_t flags) { return (flags & (O_CREAT | O_TRUNC)) != 0 || (flags & O_TMPFILE) == O_TMPFILE; }

// Files that are opened to be written synchronously are so only where syncs are not forgotten.
std::uint64_t honest(std::uint64_t flags) {
    return Plan::of_process().forgets_sync() ? flags & ~static_cast<std::uint64_t>(O_SYNC | O_DSYNC) : flags;
}

int open_at(char const* name, int directory, char const* path, int flags, mode_t mode) {
    auto const wanted = static_cast<int>(honest(static_cast<std::uint64_t>(static_cast<unsigned>(flags))));
    auto const kind = makes(static_cast<unsigned>(flags)) ? Kind::create : Kind::open;
    return static_cast<int>(perform({kind, name, path_of(directory, path)},
                                    [&] { return call_kernel(SYS_openat, directory, path, wanted, mode); }));
}

long open_how_at(int directory, char const* path, open_how const& how, std::size_t size) {
    open_how wanted = how;
    wanted.flags = honest(how.flags);
    return perform({makes(how.flags) ? Kind::create : Kind::open, "openat2", path_of(directory, path)},
                   [&] { return call_kernel(SYS_openat2, directory, path, &wanted, size); });
}

int rename_at(char const* name, int from_directory, char const* from, int to_directory, char const* to,
              unsigned flags) {
    auto const path = path_of(to_directory, to);
    if (Plan::of_process().splits_rename() && flags == 0) {
        perform({Kind::remove, "unlink-of-rename", path},
                [&] { return call_kernel(SYS_unlinkat, to_directory, to, 0); });
    }
    return static_cast<int>(perform({Kind::rename, name, path}, [&] {
        return call_kernel(SYS_renameat2, from_directory, from, to_directory, to, flags);
    }));
}

int link_at(char const* name, std::string path, std::function<long()> const& work) {
    return static_cast<int>(perform({Kind::link, name, std::move(path)}, work));
}

int remove_at(char const* name, int directory, char const* path, int flags) {
    return static_cast<int>(perform({Kind::remove, name, path_of(directory, path)},
                                    [&] { return call_kernel(SYS_unlinkat, directory, path, flags); }));
}

int make_directory(char const* name, int directory, char const* path, mode_t mode) {
    return static_cast<int>(perform({Kind::directory, name, path_of(directory, path)},
                                    [&] { return call_kernel(SYS_mkdirat, directory, path, mode); }));
}

int change(Kind kind, char const* name, std::string path, std::function<long()> const& work) {
    return static_cast<int>(perform({kind, name, std::move(path)}, work));
}

mode_t mode_in(va_list arguments, int flags) {
    return makes(static_cast<unsigned>(flags)) ? va_arg(arguments, mode_t) : 0;
}

// What mkostemp(3) and its relatives make is opened inside the C library.
int make_temporary(char const* name, char* pattern, std::function<long()> const& work) {
    return static_cast<int>(perform({Kind::create, name, pattern}, work));
}

template <class Function>
Function* original(char const* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

// ---- writes ----

ssize_t write(int file, void const* bytes, std::size_t size) {
    return write_to(file, "write", size, [=](std::size_t n) { return call_kernel(SYS_write, file, bytes, n); });
}

ssize_t pwrite64(int file, void const* bytes, std::size_t size, off64_t at) {
    return write_to(file, "pwrite", size, [=](std::size_t n) { return call_kernel(SYS_pwrite64, file, bytes, n, at); });
}

ssize_t pwrite(int file, void const* bytes, std::size_t size, off_t at) { return pwrite64(file, bytes, size, at); }

ssize_t writev(int file, iovec const* parts, int count) { return write_parts(file, parts, count, nullptr); }

ssize_t pwritev64(int file, iovec const* parts, int count, off64_t at) { return write_parts(file, parts, count, &at); }

ssize_t pwritev(int file, iovec const* parts, int count, off_t at) { return write_parts(file, parts, count, &at); }

// ---- what makes writes durable ----

int fsync(int file) {
    return sync_file("fsync", path_of(file), [=] { return call_kernel(SYS_fsync, file); });
}

int fdatasync(int file) {
    return sync_file("fdatasync", path_of(file), [=] { return call_kernel(SYS_fdatasync, file); });
}

int msync(void* address, std::size_t size, int flags) {
    return sync_file("msync", "", [=] { return call_kernel(SYS_msync, address, size, flags); });
}

int sync_file_range(int file, off64_t from, off64_t size, unsigned flags) {
    return sync_file("sync_file_range", path_of(file),
                     [=] { return call_kernel(SYS_sync_file_range, file, from, size, flags); });
}

int syncfs(int file) noexcept {
    return sync_file("syncfs", path_of(file), [=] { return call_kernel(SYS_syncfs, file); });
}

// ---- opens ----

int open64(char const* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    auto const mode = mode_in(arguments, flags);
    va_end(arguments);
    return open_at("open", AT_FDCWD, path, flags, mode);
}

int open(char const* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    auto const mode = mode_in(arguments, flags);
    va_end(arguments);
    return open_at("open", AT_FDCWD, path, flags, mode);
}

int openat64(int directory, char const* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    auto const mode = mode_in(arguments, flags);
    va_end(arguments);
    return open_at("openat", directory, path, flags, mode);
}

int openat(int directory, char const* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    auto const mode = mode_in(arguments, flags);
    va_end(arguments);
    return open_at("openat", directory, path, flags, mode);
}

int __open_2(char const* path, int flags) { return open_at("open", AT_FDCWD, path, flags, 0); }
int __open64_2(char const* path, int flags) { return open_at("open", AT_FDCWD, path, flags, 0); }
int __openat_2(int directory, char const* path, int flags) { return open_at("openat", directory, path, flags, 0); }
int __openat64_2(int directory, char const* path, int flags) { return open_at("openat", directory, path, flags, 0); }

int creat64(char const* path, mode_t mode) {
    return open_at("creat", AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
int creat(char const* path, mode_t mode) { return creat64(path, mode); }

int mkostemp64(char* pattern, int flags) {
    return make_temporary("mkostemp", pattern, [=] { return original<int(char*, int)>("mkostemp64")(pattern, flags); });
}
int mkostemp(char* pattern, int flags) { return mkostemp64(pattern, flags); }
int mkstemp64(char* pattern) { return mkostemp64(pattern, 0); }
int mkstemp(char* pattern) { return mkostemp64(pattern, 0); }

// ---- names ----

int rename(char const* from, char const* to) noexcept { return rename_at("rename", AT_FDCWD, from, AT_FDCWD, to, 0); }

int renameat(int from_directory, char const* from, int to_directory, char const* to) noexcept {
    return rename_at("renameat", from_directory, from, to_directory, to, 0);
}

int renameat2(int from_directory, char const* from, int to_directory, char const* to, unsigned flags) noexcept {
    return rename_at("renameat2", from_directory, from, to_directory, to, flags);
}

int link(char const* from, char const* to) noexcept {
    return link_at("link", to, [=] { return call_kernel(SYS_link, from, to); });
}

int linkat(int from_directory, char const* from, int to_directory, char const* to, int flags) noexcept {
    return link_at("linkat", path_of(to_directory, to),
                   [=] { return call_kernel(SYS_linkat, from_directory, from, to_directory, to, flags); });
}

int symlink(char const* target, char const* path) noexcept {
    return link_at("symlink", path, [=] { return call_kernel(SYS_symlink, target, path); });
}

int symlinkat(char const* target, int directory, char const* path) noexcept {
    return link_at("symlinkat", path_of(directory, path),
                   [=] { return call_kernel(SYS_symlinkat, target, directory, path); });
}

int unlink(char const* path) noexcept { return remove_at("unlink", AT_FDCWD, path, 0); }
int unlinkat(int directory, char const* path, int flags) noexcept {
    return remove_at("unlinkat", directory, path, flags);
}
int rmdir(char const* path) noexcept { return remove_at("rmdir", AT_FDCWD, path, AT_REMOVEDIR); }

int remove(char const* path) noexcept {
    auto const done = remove_at("remove", AT_FDCWD, path, 0);
    return done != 0 && errno == EISDIR ? rmdir(path) : done;
}

int mkdir(char const* path, mode_t mode) noexcept { return make_directory("mkdir", AT_FDCWD, path, mode); }
int mkdirat(int directory, char const* path, mode_t mode) noexcept {
    return make_directory("mkdirat", directory, path, mode);
}

// ---- sizes, blocks, modes ----

int ftruncate64(int file, off64_t size) noexcept {
    return change(Kind::truncate, "ftruncate", path_of(file), [=] { return call_kernel(SYS_ftruncate, file, size); });
}
int ftruncate(int file, off_t size) noexcept { return ftruncate64(file, size); }

int truncate64(char const* path, off64_t size) noexcept {
    return change(Kind::truncate, "truncate", path, [=] { return call_kernel(SYS_truncate, path, size); });
}
int truncate(char const* path, off_t size) noexcept { return truncate64(path, size); }

int fallocate64(int file, int mode, off64_t from, off64_t size) {
    return change(Kind::allocate, "fallocate", path_of(file),
                  [=] { return call_kernel(SYS_fallocate, file, mode, from, size); });
}
int fallocate(int file, int mode, off_t from, off_t size) { return fallocate64(file, mode, from, size); }

int posix_fallocate64(int file, off64_t from, off64_t size) {
    return fallocate64(file, 0, from, size) == 0 ? 0 : errno;
}
int posix_fallocate(int file, off_t from, off_t size) { return posix_fallocate64(file, from, size); }

ssize_t copy_file_range(int from, off64_t* from_at, int to, off64_t* to_at, std::size_t size, unsigned flags) {
    return perform({Kind::copy, "copy_file_range", path_of(to)},
                   [=] { return call_kernel(SYS_copy_file_range, from, from_at, to, to_at, size, flags); });
}

int ioctl(int file, unsigned long request, ...) noexcept {
    va_list arguments;
    va_start(arguments, request);
    auto const argument = va_arg(arguments, void*);
    va_end(arguments);
    auto const work = [=] { return call_kernel(SYS_ioctl, file, request, argument); };
    return request == FICLONE ? change(Kind::copy, "ioctl", path_of(file), work) : static_cast<int>(work());
}

int statvfs64(char const* path, struct statvfs64* found) noexcept {
    auto const done = original<int(char const*, struct statvfs64*)>("statvfs64")(path, found);
    if (done == 0 && Plan::of_process().is_full()) found->f_bavail = found->f_bfree = 0;
    return done;
}
int statvfs(char const* path, struct statvfs* found) noexcept {
    return statvfs64(path, reinterpret_cast<struct statvfs64*>(found));
}

int fchmod(int file, mode_t mode) noexcept {
    return change(Kind::mode, "fchmod", path_of(file), [=] { return call_kernel(SYS_fchmod, file, mode); });
}

int chmod(char const* path, mode_t mode) noexcept {
    return change(Kind::mode, "chmod", path, [=] { return call_kernel(SYS_chmod, path, mode); });
}

int fchmodat(int directory, char const* path, mode_t mode, int) noexcept {
    return change(Kind::mode, "fchmodat", path_of(directory, path),
                  [=] { return call_kernel(SYS_fchmodat, directory, path, mode); });
}

// ---- calls by number ----

long syscall(long number, ...) noexcept {
    va_list arguments;
    va_start(arguments, number);
    long words[6];
    for (auto& word : words) word = va_arg(arguments, long);
    va_end(arguments);
    if (number == SYS_openat2) {
        return open_how_at(static_cast<int>(words[0]), reinterpret_cast<char const*>(words[1]),
                           *reinterpret_cast<open_how const*>(words[2]), static_cast<std::size_t>(words[3]));
    }
    if (number == SYS_renameat2) {
        return renameat2(static_cast<int>(words[0]), reinterpret_cast<char const*>(words[1]),
                         static_cast<int>(words[2]), reinterpret_cast<char const*>(words[3]),
                         static_cast<unsigned>(words[4]));
    }
    return answer(kernel(number, words[0], words[1], words[2], words[3], words[4], words[5]));
}

}  // extern "C"
