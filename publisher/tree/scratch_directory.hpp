#pragma once

#include <utility>

#include "publisher/tree/scratch_guard.hpp"

namespace lull::publisher {

// A private temporary directory, removed with this object. Its owner holds a lock on it (flock(2)), so that a directory
// without a lock was left behind by a process that was killed. A signal that ends the process removes it as well.
class ScratchDirectory {
public:
    static constexpr std::size_t most_looked_at = 10'000;  // entries of the parent
    static constexpr std::size_t most_removed = 16;        // leftovers of one scan

    // Removes leftovers of this user in `parent`, then makes the directory there.
    [[nodiscard]] static Result<ScratchDirectory> make(fs::path const& parent);

    [[nodiscard]] fs::path const& path() const { return path_; }

    ~ScratchDirectory();
    ScratchDirectory(ScratchDirectory&& other) noexcept
        : path_(std::exchange(other.path_, {})),
          lock_(std::move(other.lock_)),
          guard_(std::move(other.guard_)) {}
    ScratchDirectory& operator=(ScratchDirectory&&) = delete;

private:
    ScratchDirectory(fs::path path, FileDescriptor lock)
        : path_(std::move(path)),
          lock_(std::move(lock)),
          guard_(std::make_unique<ScratchGuard>(path_)) {}
    fs::path path_;  // empty once moved from
    FileDescriptor lock_;
    std::unique_ptr<ScratchGuard> guard_;
};

}  // namespace lull::publisher
