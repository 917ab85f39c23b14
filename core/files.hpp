#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "core/bytes.hpp"
#include "core/units.hpp"

// POSIX files with owned descriptors, explicit durability, and errors that name path and reason.

namespace lull {

namespace fs = std::filesystem;

// Owns a file descriptor; -1 is "none".
class FileDescriptor {
public:
    FileDescriptor() = default;
    explicit FileDescriptor(int fd) : fd_(fd) {}
    ~FileDescriptor() { reset(); }
    FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        if (this != &other) reset(std::exchange(other.fd_, -1));
        return *this;
    }

    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] bool valid() const { return fd_ >= 0; }
    [[nodiscard]] int release() { return std::exchange(fd_, -1); }
    void reset(int fd = -1);

private:
    int fd_ = -1;
};

// "cannot <verb> <path>: <strerror>", with Fault::no_space for ENOSPC and EDQUOT, not_found for ENOENT, refused for
// EACCES and EPERM. Call right after the failing system call.
[[nodiscard]] tl::unexpected<Error> fail_errno(std::string_view verb, fs::path const& path);

// open(2) with O_CLOEXEC added.
[[nodiscard]] Result<FileDescriptor> open_file(fs::path const& path, int flags, mode_t mode = 0644);

// openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS: `relative` cannot leave `directory`.
[[nodiscard]] Result<FileDescriptor> open_beneath(int directory, fs::path const& relative, int flags, mode_t mode = 0);
// The same, and not through mount points either: for changing a tree in which somebody may have mounted something
// (Fault::refused).
[[nodiscard]] Result<FileDescriptor> open_within(int directory, fs::path const& relative, int flags, mode_t mode = 0);

// All bytes; refuses files larger than `limit` (Fault::damaged) before reading them.
[[nodiscard]] Result<Buffer> read_file(fs::path const& path, Bytes limit);

// pread until `into` is full; a file that ends earlier is Fault::damaged.
[[nodiscard]] Status read_exactly(int fd, std::uint64_t offset, std::span<std::byte> into, fs::path const& path);
// pwrite until everything is written.
[[nodiscard]] Status write_exactly(int fd, std::uint64_t offset, View bytes, fs::path const& path);

// Writes a temporary file beside `path`, fsyncs it, renames it over `path`, fsyncs the directory.
[[nodiscard]] Status write_file_durably(fs::path const& path, View bytes, mode_t mode);
// Whether this is the name of such a temporary file, which a crash leaves behind.
[[nodiscard]] bool is_temporary(std::string_view name);

// Removes the temporary files that a crash in write_file_durably() left in a directory, and nothing else. No process
// may be writing there.
[[nodiscard]] Status remove_temporary_files(fs::path const& directory);

// A write is lost: nobody knows what the disk holds, so the process ends with status 70 (EX_SOFTWARE), at once. What a
// program does instead is its last act, which may return: it is run first, on any thread. For the whole process, as a
// handler of a signal is.
using LastAct = void (*)();
void set_last_act(LastAct act);
[[noreturn]] void end_after_lost_write();

// fsync; a failed fsync ends the process (the kernel may have dropped the pages: never retry).
void sync_file_or_die(int fd, fs::path const& path);
// fsync of a directory, which makes renames and new names in it durable.
void sync_directory_or_die(fs::path const& directory);

// mkdir -p; new directories get `mode`.
[[nodiscard]] Status make_directories(fs::path const& path, mode_t mode = 0755);

// Asked between two steps of long work; false: stop.
using GoingOn = std::function<bool()>;

// rm -rf that does not follow symlinks; fine if nothing is there. Fault::cancelled if it was stopped: then a part is
// left.
[[nodiscard]] Status remove_tree(fs::path const& path, GoingOn const& going_on = {});

// rm -rf of `relative` in an open directory: what lies outside is not reached, neither through symlinks nor through
// mount points (Fault::refused: something is mounted in there). Fine if nothing is there.
[[nodiscard]] Status remove_beneath(int directory, fs::path const& relative);

// Free bytes and inodes for this process on the file system that holds `path`.
struct FreeSpace {
    Bytes bytes;
    std::uint64_t inodes = 0;
};
[[nodiscard]] Result<FreeSpace> free_space(fs::path const& path);

// FICLONE, or copy_file_range / read-write where the file system cannot; never a hard link. Fault::cancelled if it was
// stopped, which takes as long as a few MiB.
[[nodiscard]] Status clone_or_copy(int from, int to, fs::path const& path, std::stop_token const& stop = {});

// Makes sure that `path` is a directory of ours with mode 0700, or a file with mode 0600: what holds secrets.
// Fault::refused with the chmod to run otherwise.
[[nodiscard]] Status require_private(fs::path const& path);

// Exclusive lock on a lock file for the life of the process; Fault::refused if another process has it.
[[nodiscard]] Result<FileDescriptor> lock_exclusively(fs::path const& path);

}  // namespace lull
