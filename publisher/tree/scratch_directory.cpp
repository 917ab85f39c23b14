#include "publisher/tree/scratch_directory.hpp"

#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

namespace lull::publisher {

namespace {

constexpr std::string_view prefix = "lull-unpacked-";
constexpr int most_tries = 8;

// The directory, if it belongs to this user.
std::optional<FileDescriptor> open_own(fs::path const& path) {
    auto directory = open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    struct stat status {};
    if (!directory || fstat(directory->get(), &status) != 0 || status.st_uid != geteuid()) return std::nullopt;
    return std::move(*directory);
}

bool is_removed(FileDescriptor const& directory) {
    struct stat status {};
    return fstat(directory.get(), &status) != 0 || status.st_nlink == 0;
}

// The lock is held until the tree is gone: an owner that has made the directory but not locked it yet waits for the
// lock and then finds the directory removed.
bool remove_unlocked(fs::path const& path) {
    auto const directory = open_own(path);
    if (!directory || flock(directory->get(), LOCK_EX | LOCK_NB) != 0) return false;
    return remove_tree(path).has_value();
}

// A leftover that cannot be removed stays: it lies in a temporary directory and does not keep the user from publishing.
void remove_leftovers(fs::path const& parent) {
    std::size_t looked_at = 0;
    std::size_t removed = 0;
    std::error_code problem;
    for (fs::directory_iterator entry(parent, problem), end; !problem && entry != end; entry.increment(problem)) {
        if (++looked_at > ScratchDirectory::most_looked_at || removed == ScratchDirectory::most_removed) return;
        if (entry->path().filename().string().starts_with(prefix) && remove_unlocked(entry->path())) ++removed;
    }
}

}  // namespace

Result<ScratchDirectory> ScratchDirectory::make(fs::path const& parent) {
    std::error_code problem;
    auto const place = fs::canonical(parent, problem);
    if (problem) {
        errno = problem.value();
        return fail_errno("make a temporary directory in", parent);
    }
    remove_leftovers(place);
    for (int i = 0; i < most_tries; ++i) {
        auto pattern = (place / (std::string(prefix) + "XXXXXX")).string();
        if (mkdtemp(pattern.data()) == nullptr) return fail_errno("make a temporary directory in", parent);
        auto lock = open_file(pattern, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (!lock && lock.error().fault != Fault::not_found) return pass(std::move(lock.error()));
        if (!lock) continue;  // another process took it for a leftover before the lock
        if (flock(lock->get(), LOCK_EX) != 0) return fail_errno("lock", pattern);
        if (!is_removed(*lock)) return ScratchDirectory(pattern, std::move(*lock));
    }
    return fail(Fault::failed,
                "cannot make a temporary directory in {}: other processes removed it {} times; try again",
                parent.string(), most_tries);
}

ScratchDirectory::~ScratchDirectory() {
    if (!path_.empty()) static_cast<void>(remove_tree(path_));  // a rest is removed as a leftover
}

}  // namespace lull::publisher
