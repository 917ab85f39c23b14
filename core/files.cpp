#include "core/files.hpp"

#include <dirent.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

namespace lull {

namespace {

constexpr int exit_after_lost_write = 70;  // EX_SOFTWARE of sysexits.h

std::atomic<LastAct>& last_act() {
    static std::atomic<LastAct> act = nullptr;
    return act;
}

char const* reason(int number) {
    char const* const text = strerrordesc_np(number);
    return text != nullptr ? text : "unknown error";
}

Fault fault_of(int number) {
    switch (number) {
        case ENOSPC:
        case EDQUOT: return Fault::no_space;
        case ENOENT: return Fault::not_found;
        case EACCES:
        case EPERM: return Fault::refused;
        default: return Fault::failed;
    }
}

// Calls until it is not interrupted by a signal.
template <class Call>
auto uninterrupted(Call call) {
    auto result = call();
    while (result < 0 && errno == EINTR) result = call();
    return result;
}

[[noreturn]] void die_of_lost_write(char const* what, fs::path const& path, int number) {
    std::fprintf(stderr,
                 "cannot %s %s: %s; what was written may be lost, so this process ends and has to be started again\n",
                 what, path.c_str(), reason(number));
    end_after_lost_write();
}

fs::path directory_of(fs::path const& path) {
    auto parent = path.parent_path();
    return parent.empty() ? fs::path(".") : parent;
}

// Of TemporaryFile: the prefix and what mkostemp(3) puts in the place of XXXXXX.
constexpr std::string_view temporary_prefix = ".lull-";
constexpr std::string_view temporary_pattern = ".lull-XXXXXX";

// A file beside its destination that disappears unless it is renamed into place.
class TemporaryFile {
public:
    explicit TemporaryFile(fs::path const& directory) : name_((directory / temporary_pattern).string()) {
        fd_.reset(mkostemp(name_.data(), O_CLOEXEC));  // O_EXCL, mode 0600
    }
    ~TemporaryFile() {
        if (fd_.valid()) unlink(name_.c_str());
    }
    TemporaryFile(TemporaryFile const&) = delete;
    TemporaryFile& operator=(TemporaryFile const&) = delete;

    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] bool valid() const { return fd_.valid(); }

    [[nodiscard]] bool rename_to(fs::path const& path) {
        if (rename(name_.c_str(), path.c_str()) != 0) return false;
        fd_.reset();
        return true;
    }

private:
    std::string name_;
    FileDescriptor fd_;
};

open_how opening(int flags, mode_t mode) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
    how.mode = (flags & O_CREAT) != 0 ? mode : 0;  // the kernel refuses a mode without O_CREAT
    return how;
}

// For messages: where a path beneath an open directory lies.
fs::path path_beneath(int directory, fs::path const& relative) {
    std::error_code problem;
    auto const place = fs::read_symlink("/proc/self/fd/" + std::to_string(directory), problem);
    return problem ? relative : place / relative;
}

// `exdev`: what EXDEV means with this resolution.
Result<FileDescriptor> open_resolved(int directory, fs::path const& relative, open_how how, char const* exdev) {
    // EAGAIN: a directory on the way was renamed meanwhile, so the kernel could not be sure.
    constexpr int most_tries = 32;
    for (int tries = 1;; ++tries) {
        auto const fd = syscall(SYS_openat2, directory, relative.c_str(), &how, sizeof how);
        if (fd >= 0) return FileDescriptor(static_cast<int>(fd));
        if ((errno != EAGAIN && errno != EINTR) || tries == most_tries) break;
    }
    int const number = errno;
    auto const path = path_beneath(directory, relative);
    if (number == EXDEV) return fail(Fault::refused, "cannot open {}: {}", path.string(), exdev);
    if (number == ELOOP) return fail(Fault::refused, "cannot open {}: a symbolic link is on the way", path.string());
    errno = number;
    return fail_errno("open", path);
}

// Opens a directory that is about to be deleted, also where its mode forbids even its owner to look into it. `resolve`:
// of openat2(2).
FileDescriptor open_for_removal(int parent, char const* name, std::uint64_t resolve) {
    auto how = opening(O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
    how.resolve = resolve;
    FileDescriptor handle(static_cast<int>(syscall(SYS_openat2, parent, name, &how, sizeof how)));
    if (!handle.valid()) return handle;
    struct stat status {};
    if (fstat(handle.get(), &status) == 0 && (status.st_mode & S_IRWXU) != S_IRWXU) {
        // fchmod does not take O_PATH descriptors; this link leads to exactly this directory. A failure shows below.
        static_cast<void>(chmod(fmt::format("/proc/self/fd/{}", handle.get()).c_str(), S_IRWXU));
    }
    return FileDescriptor(openat(handle.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

// The names in a directory, read whole before anything is deleted from it.
Result<std::vector<std::string>> names_in(int directory, fs::path const& path) {
    int const copy = fcntl(directory, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return fail_errno("list", path);
    std::unique_ptr<DIR, int (*)(DIR*)> const stream(fdopendir(copy), closedir);
    if (!stream) {
        auto error = fail_errno("list", path);
        close(copy);
        return error;
    }
    std::vector<std::string> names;
    errno = 0;
    while (dirent const* const entry = readdir(stream.get())) {
        std::string name = entry->d_name;
        if (name != "." && name != "..") names.push_back(std::move(name));
    }
    if (errno != 0) return fail_errno("list", path);
    return names;
}

// What is mounted in a tree is not part of it, and must never be emptied.
constexpr std::uint64_t within_mount = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;

// Where to delete, and how.
struct Removal {
    std::uint64_t resolve = 0;  // of openat2(2), for directories
    GoingOn const& going_on;
};

Status remove_at(int parent, std::string const& name, fs::path const& path, Removal const& removal) {
    if (removal.going_on && !removal.going_on())
        return fail(Fault::cancelled, "stopped before {} was removed", path.string());
    if (unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return {};
    if (errno != EISDIR) return fail_errno("remove", path);
    auto const directory = open_for_removal(parent, name.c_str(), removal.resolve);
    if (!directory.valid() && errno == EXDEV) {
        return fail(Fault::refused, "cannot remove {}: something is mounted there; unmount it first", path.string());
    }
    if (!directory.valid()) return fail_errno("remove", path);
    auto const names = names_in(directory.get(), path);
    if (!names) return pass(names.error());
    for (auto const& inner : *names) {
        if (auto status = remove_at(directory.get(), inner, path / inner, {within_mount, removal.going_on}); !status)
            return status;
    }
    if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) return fail_errno("remove", path);
    return {};
}

tl::unexpected<Error> stopped_copy(fs::path const& path) {
    return fail(Fault::cancelled, "the copy to {} was stopped", path.string());
}

// Copies by reading and writing from `offset` until the end of `from`.
Status copy_rest(int from, int to, std::uint64_t offset, fs::path const& path, std::stop_token const& stop) {
    std::vector<std::byte> block(MiB(1).count());
    while (true) {
        if (stop.stop_requested()) return stopped_copy(path);
        auto const got = uninterrupted(
            [&] { return pread(from, block.data(), block.size(), static_cast<off_t>(offset)); });
        if (got < 0) return fail_errno("read what is to be copied to", path);
        if (got == 0) return {};
        auto const bytes = View(block).first(static_cast<std::size_t>(got));
        if (auto status = write_exactly(to, offset, bytes, path); !status) return status;
        offset += bytes.size();
    }
}

// True where copy_file_range(2) is not for this pair of files, and reading and writing may still work.
bool means_unsupported(int number) {
    return number == EXDEV || number == EINVAL || number == ENOSYS || number == EOPNOTSUPP || number == EPERM;
}

}  // namespace

void FileDescriptor::reset(int fd) {
    if (fd_ >= 0) {
        int const kept = errno;
        close(fd_);
        errno = kept;
    }
    fd_ = fd;
}

tl::unexpected<Error> fail_errno(std::string_view verb, fs::path const& path) {
    int const number = errno;
    return fail(fault_of(number), "cannot {} {}: {}", verb, path.string(), reason(number));
}

Result<FileDescriptor> open_file(fs::path const& path, int flags, mode_t mode) {
    FileDescriptor file(uninterrupted([&] { return open(path.c_str(), flags | O_CLOEXEC, mode); }));
    if (!file.valid()) return fail_errno("open", path);
    return file;
}

Result<FileDescriptor> open_beneath(int directory, fs::path const& relative, int flags, mode_t mode) {
    auto how = opening(flags, mode);
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    return open_resolved(directory, relative, how, "it leads out of its directory");
}

Result<FileDescriptor> open_within(int directory, fs::path const& relative, int flags, mode_t mode) {
    auto how = opening(flags, mode);
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
    return open_resolved(directory, relative, how, "something is mounted on the way, or it leads out of its directory");
}

Result<Buffer> read_file(fs::path const& path, Bytes limit) {
    auto const file = open_file(path, O_RDONLY | O_NONBLOCK);  // a FIFO must not block us
    if (!file) return pass(file.error());
    struct stat status {};
    if (fstat(file->get(), &status) != 0) return fail_errno("read", path);
    if (!S_ISREG(status.st_mode)) return fail(Fault::failed, "cannot read {}: it is not a regular file", path.string());
    auto const too_large = [&] {
        return fail(Fault::damaged, "cannot read {}: it is larger than {}", path.string(), to_text(limit));
    };
    if (static_cast<std::uint64_t>(status.st_size) > limit.count()) return too_large();

    // One byte more than the size shows the end of the file; files in /proc say 0 and need to grow.
    Buffer bytes(static_cast<std::size_t>(status.st_size) + 1);
    std::size_t filled = 0;
    while (true) {
        auto const got = uninterrupted([&] { return read(file->get(), bytes.data() + filled, bytes.size() - filled); });
        if (got < 0) return fail_errno("read", path);
        if (got == 0) break;
        filled += static_cast<std::size_t>(got);
        if (filled > limit.count()) return too_large();
        if (filled == bytes.size()) bytes.resize(std::max<std::size_t>(filled * 2, 4096));
    }
    bytes.resize(filled);
    return bytes;
}

Status read_exactly(int fd, std::uint64_t offset, std::span<std::byte> into, fs::path const& path) {
    while (!into.empty()) {
        auto const got = uninterrupted([&] { return pread(fd, into.data(), into.size(), static_cast<off_t>(offset)); });
        if (got < 0) return fail_errno("read", path);
        if (got == 0) {
            return fail(Fault::damaged, "cannot read {}: it ends at byte {}, and {} more were expected", path.string(),
                        offset, into.size());
        }
        into = into.subspan(static_cast<std::size_t>(got));
        offset += static_cast<std::uint64_t>(got);
    }
    return {};
}

Status write_exactly(int fd, std::uint64_t offset, View bytes, fs::path const& path) {
    while (!bytes.empty()) {
        auto const put = uninterrupted(
            [&] { return pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
        if (put == 0) errno = EIO;  // does not happen to files; would go round for ever
        if (put <= 0) return fail_errno("write", path);
        bytes = bytes.subspan(static_cast<std::size_t>(put));
        offset += static_cast<std::uint64_t>(put);
    }
    return {};
}

Status write_file_durably(fs::path const& path, View bytes, mode_t mode) {
    TemporaryFile temporary(directory_of(path));
    if (!temporary.valid()) return fail_errno("write", path);
    if (fchmod(temporary.fd(), mode) != 0) return fail_errno("set the mode of", path);
    if (auto status = write_exactly(temporary.fd(), 0, bytes, path); !status) return status;
    sync_file_or_die(temporary.fd(), path);
    if (!temporary.rename_to(path)) return fail_errno("write", path);
    sync_directory_or_die(directory_of(path));
    return {};
}

bool is_temporary(std::string_view name) {
    return name.starts_with(temporary_prefix) && name.size() == temporary_pattern.size();
}

Status remove_temporary_files(fs::path const& directory) {
    std::error_code problem;
    for (fs::directory_iterator entry(directory, problem), end; !problem && entry != end; entry.increment(problem)) {
        std::error_code ignored;
        bool const ours = is_temporary(entry->path().filename().string()) && entry->is_regular_file(ignored);
        if (ours && unlink(entry->path().c_str()) != 0) return fail_errno("remove", entry->path());
    }
    if (!problem) return {};
    return fail(Fault::failed, "cannot list {}: {}", directory.string(), problem.message());
}

void set_last_act(LastAct act) { last_act() = act; }

void end_after_lost_write() {
    std::fflush(stderr);
    if (auto const act = last_act().exchange(nullptr)) act();
    _exit(exit_after_lost_write);
}

void sync_file_or_die(int fd, fs::path const& path) {
    if (fsync(fd) != 0) die_of_lost_write("make durable", path, errno);
}

void sync_directory_or_die(fs::path const& directory) {
    FileDescriptor const handle(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!handle.valid()) die_of_lost_write("open and make durable", directory, errno);
    sync_file_or_die(handle.get(), directory);
}

Status make_directories(fs::path const& path, mode_t mode) {
    fs::path made;
    for (auto const& part : path) {
        made /= part;
        if (part.empty() || part == "/") continue;
        if (mkdir(made.c_str(), mode) == 0) {
            // mkdir subtracts the umask.
            if (chmod(made.c_str(), mode) != 0) return fail_errno("set the mode of", made);
            continue;
        }
        struct stat status {};
        int const number = errno;
        bool const exists = stat(made.c_str(), &status) == 0;
        if (exists && S_ISDIR(status.st_mode)) continue;
        errno = exists ? ENOTDIR : number;
        return fail_errno("make the directory", made);
    }
    return {};
}

Status remove_tree(fs::path const& path, GoingOn const& going_on) {
    // A trailing slash would make the kernel follow a symbolic link.
    auto const name = path.has_filename() ? path : path.parent_path();
    return remove_at(AT_FDCWD, name.string(), name, {0, going_on});
}

Status remove_beneath(int directory, fs::path const& relative) {
    auto const parent = relative.has_parent_path() ? relative.parent_path() : fs::path(".");
    auto const handle = open_within(directory, parent, O_PATH | O_DIRECTORY);
    if (!handle && handle.error().fault == Fault::not_found) return {};
    if (!handle) return pass(handle.error());
    return remove_at(handle->get(), relative.filename().string(), relative, {within_mount, {}});
}

Result<FreeSpace> free_space(fs::path const& path) {
    struct statvfs status {};
    if (uninterrupted([&] { return statvfs(path.c_str(), &status); }) != 0) {
        return fail_errno("find out the free space of", path);
    }
    // A file system that makes inodes as it needs them (btrfs) counts none at all.
    auto const inodes = status.f_files == 0 ? std::numeric_limits<std::uint64_t>::max()
                                            : std::uint64_t{status.f_favail};
    return FreeSpace{Bytes(std::uint64_t{status.f_bavail} * status.f_frsize), inodes};
}

Status clone_or_copy(int from, int to, fs::path const& path, std::stop_token const& stop) {
    if (ioctl(to, FICLONE, from) == 0) return {};
    loff_t read_at = 0;
    loff_t write_at = 0;
    auto const step = stop.stop_possible() ? MiB(8).count() : GiB(1).count();
    while (true) {
        if (stop.stop_requested()) return stopped_copy(path);
        auto const copied = uninterrupted([&] { return copy_file_range(from, &read_at, to, &write_at, step, 0); });
        if (copied < 0 && !means_unsupported(errno)) return fail_errno("copy to", path);
        // 0 is the end, or a file system that cannot say more: reading finds out which.
        if (copied <= 0) return copy_rest(from, to, static_cast<std::uint64_t>(read_at), path, stop);
    }
}

Status require_private(fs::path const& path) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) return fail_errno("check the mode of", path);
    if (!S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode)) {
        return fail(Fault::refused, "{} holds secrets and has to be a directory or a regular file", path.string());
    }
    auto const wanted = S_ISDIR(status.st_mode) ? "700" : "600";
    if (status.st_uid != geteuid()) {
        return fail(Fault::refused,
                    "{} holds secrets and belongs to user {}, not to user {}, who runs this; run: chown {} {}",
                    path.string(), status.st_uid, geteuid(), geteuid(), path.string());
    }
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return fail(Fault::refused, "{} holds secrets and is open to others (mode {:04o}); run: chmod {} {}",
                    path.string(), status.st_mode & 07777, wanted, path.string());
    }
    return {};
}

Result<FileDescriptor> lock_exclusively(fs::path const& path) {
    auto file = open_file(path, O_RDWR | O_CREAT, 0600);
    if (!file && file.error().fault == Fault::refused)
        file.error().fault = Fault::failed;  // nobody has it: it cannot be opened
    if (!file) return file;
    if (uninterrupted([&] { return flock(file->get(), LOCK_EX | LOCK_NB); }) == 0) return file;
    if (errno != EWOULDBLOCK) return fail_errno("lock", path);
    return fail(Fault::refused, "cannot lock {}: another process has it; end that one first ('fuser {}' shows it)",
                path.string(), path.string());
}

}  // namespace lull
