#include "store/owner_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

namespace lull::store {

namespace {

constexpr char const* lock_name = "owner.lock";

// What the owner noted; empty if that cannot be read.
std::string owner_in(fs::path const& lock) {
    auto const text = read_file(lock, KiB(1));
    return text ? std::string(as_text(*text)) : std::string();
}

}  // namespace

Result<FileDescriptor> own_database(fs::path const& directory) {
    auto const path = directory / lock_name;
    auto lock = lock_exclusively(path);
    if (!lock) {
        auto const owner = lock.error().fault == Fault::refused ? owner_in(path) : std::string();
        if (owner.empty()) return lock;
        return fail(Fault::refused, "database {} is in use by {}: end that one first", directory.string(), owner);
    }
    auto const owner = fmt::format("process {} ({})", getpid(), program_invocation_short_name);
    // For people only: on a full disk we go on without it.
    if (ftruncate(lock->get(), 0) == 0) (void)write_exactly(lock->get(), 0, as_view(owner), path);
    return lock;
}

// A shared lock, for an instant, is refused only while the owner has its own.
bool has_owner(fs::path const& directory) {
    auto const file = open_file(directory / lock_name, O_RDONLY);
    return file && flock(file->get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

}  // namespace lull::store
