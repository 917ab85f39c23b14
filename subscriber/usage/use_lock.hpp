#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "core/event_loop.hpp"
#include "core/files.hpp"

namespace lull::subscriber {

// An open-file-description lock (fcntl(2), F_OFD_SETLK) on the lock file of a version. Shared: "this version is
// being run"; exclusive: "nobody runs it, and nobody starts it now".
class UseLock {
public:
    // Waits until no exclusive lock is held. The descriptor is inherited by children and through exec, and the lock
    // ends when the last of them is gone. Reading permission on the file is enough.
    [[nodiscard]] static Result<UseLock> shared(fs::path const& lock_file);
    // Does not wait; nothing if anybody holds the lock. Not inherited through exec.
    [[nodiscard]] static Result<std::optional<UseLock>> try_exclusive(fs::path const& lock_file);

    // Ends an exclusive lock at once; a shared one when no child has it any more.
    ~UseLock();
    UseLock(UseLock&&) noexcept = default;
    UseLock& operator=(UseLock&& other) noexcept;

    // Whether the name still leads to the file that is locked: a version may have been removed and staged again
    // meanwhile.
    [[nodiscard]] bool is_on(fs::path const& lock_file) const noexcept;

private:
    friend class UseWaiter;
    enum class Mode { shared, exclusive };
    UseLock(FileDescriptor file, Mode mode) noexcept : file_(std::move(file)), mode_(mode) {}
    void release() noexcept;

    FileDescriptor file_;
    Mode mode_;
};

// Waits for the exclusive lock on a thread of its own, without polling, and hands it to the loop. Belongs to the
// loop's thread.
class UseWaiter {
public:
    // Runs on the loop, once: the lock, or why it cannot be waited for.
    using Got = std::function<void(Result<UseLock>)>;

    UseWaiter(EventLoop& loop, fs::path const& lock_file, Got got);
    // Ends the wait at once; `got` does not run afterwards, and a lock that was got but not handed over is free again.
    ~UseWaiter();
    UseWaiter(UseWaiter const&) = delete;
    UseWaiter& operator=(UseWaiter const&) = delete;

private:
    struct State;
    std::shared_ptr<State> state_;  // shared with the task that hands over, which may run after the waiter is gone
};

}  // namespace lull::subscriber
