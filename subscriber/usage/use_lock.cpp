#include "subscriber/usage/use_lock.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace lull::subscriber {

namespace {

// Open-file-description locks cover the whole file and name no process.
struct flock whole_file(short type) {
    struct flock range {};
    range.l_type = type;
    range.l_whence = SEEK_SET;
    return range;
}

// What ends a blocking fcntl(2) early: a signal with a handler that does nothing. Its default would end the process.
constexpr int wake_signal = SIGUSR2;

void install_wake_handler() {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    sigemptyset(&action.sa_mask);
    action.sa_flags = 0;  // without SA_RESTART: fcntl returns EINTR
    LULL_INVARIANT(sigaction(wake_signal, &action, nullptr) == 0);
}

// The waiting thread takes the wake signal and no other.
void take_only_wake_signal() {
    sigset_t others;
    sigfillset(&others);
    sigdelset(&others, wake_signal);
    LULL_INVARIANT(pthread_sigmask(SIG_SETMASK, &others, nullptr) == 0);
}

}  // namespace

Result<UseLock> UseLock::shared(fs::path const& lock_file) {
    auto file = open_file(lock_file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!file) return pass(file.error());
    auto range = whole_file(F_RDLCK);
    while (fcntl(file->get(), F_OFD_SETLKW, &range) != 0) {
        if (errno != EINTR) return fail_errno("lock", lock_file);
    }
    // The one flag of a descriptor is FD_CLOEXEC; without it everything that is started inherits the lock.
    if (fcntl(file->get(), F_SETFD, 0) != 0) return fail_errno("pass on the lock of", lock_file);
    return UseLock(*std::move(file), Mode::shared);
}

Result<std::optional<UseLock>> UseLock::try_exclusive(fs::path const& lock_file) {
    auto file = open_file(lock_file, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
    if (!file) return pass(file.error());
    auto range = whole_file(F_WRLCK);
    if (fcntl(file->get(), F_OFD_SETLK, &range) == 0) return UseLock(*std::move(file), Mode::exclusive);
    if (errno == EAGAIN || errno == EACCES) return std::nullopt;
    return fail_errno("lock", lock_file);
}

UseLock::~UseLock() { release(); }

UseLock& UseLock::operator=(UseLock&& other) noexcept {
    if (this != &other) {
        release();
        file_ = std::move(other.file_);
        mode_ = other.mode_;
    }
    return *this;
}

void UseLock::release() noexcept {
    if (file_.valid() && mode_ == Mode::exclusive) {
        // Closing would not do while a child that was just forked still has a copy of the descriptor.
        auto range = whole_file(F_UNLCK);
        static_cast<void>(fcntl(file_.get(), F_OFD_SETLK, &range));
    }
    file_.reset();
}

bool UseLock::is_on(fs::path const& lock_file) const noexcept {
    struct stat locked {};
    struct stat named {};
    return fstat(file_.get(), &locked) == 0 && lstat(lock_file.c_str(), &named) == 0 && locked.st_dev == named.st_dev &&
           locked.st_ino == named.st_ino;
}

struct UseWaiter::State {
    State(EventLoop& owner, Got handler) : loop(owner), got(std::move(handler)) {}

    void wait(fs::path const& lock_file);
    void cancel();

    EventLoop& loop;
    Got got;                                 // empty once it has run or must not run any more; for the loop's thread
    FileDescriptor file;                     // the thread's, until it has ended
    std::optional<Result<UseLock>> outcome;  // the thread's, until it has posted
    std::mutex mutex;
    std::condition_variable changed;
    bool cancelled = false;  // guarded by mutex
    bool ended = false;      // guarded by mutex: the thread calls fcntl no more
    std::thread thread;
};

// Runs on the thread until the lock is got, cannot be got, or is not wanted any more.
void UseWaiter::State::wait(fs::path const& lock_file) {
    take_only_wake_signal();
    while (!outcome) {
        {
            std::lock_guard const guard(mutex);
            if (cancelled) break;
        }
        auto range = whole_file(F_WRLCK);
        if (fcntl(file.get(), F_OFD_SETLKW, &range) == 0) {
            outcome = UseLock(std::move(file), UseLock::Mode::exclusive);
        } else if (errno != EINTR) {
            outcome = fail_errno("wait for the lock of", lock_file);
        }
    }
    std::lock_guard const guard(mutex);
    ended = true;
    changed.notify_all();
}

// A signal that comes between the look at `cancelled` and fcntl is lost, so it is sent again until the thread answers.
// The other ways are worse: a child that waits would keep copies of every socket, and pthread_cancel unwinds through
// frames of the C++ library that do not expect it.
void UseWaiter::State::cancel() {
    std::unique_lock lock(mutex);
    cancelled = true;
    while (!ended) {
        LULL_INVARIANT(pthread_kill(thread.native_handle(), wake_signal) == 0);
        changed.wait_for(lock, std::chrono::milliseconds(1), [this] { return ended; });
    }
}

UseWaiter::UseWaiter(EventLoop& loop, fs::path const& lock_file, Got got)
    : state_(std::make_shared<State>(loop, std::move(got))) {
    auto hand_over = [state = state_] {
        if (!state->got) return;
        auto const got_it = std::exchange(state->got, nullptr);
        got_it(*std::exchange(state->outcome, std::nullopt));
    };
    auto file = open_file(lock_file, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
    if (!file) {
        state_->outcome = pass(file.error());
        loop.post(hand_over);
        return;
    }
    state_->file = *std::move(file);
    install_wake_handler();
    // The thread is joined before the state goes, so it needs no share of it; what it posts may outlive the waiter.
    state_->thread = std::thread([state = state_.get(), lock_file, hand_over] {
        state->wait(lock_file);
        if (state->outcome) state->loop.post(hand_over);
    });
}

UseWaiter::~UseWaiter() {
    state_->got = nullptr;
    if (state_->thread.joinable()) {
        state_->cancel();
        state_->thread.join();
    }
    state_->outcome.reset();
}

}  // namespace lull::subscriber
