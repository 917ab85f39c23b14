#include "subscriber/usage/open_file_watch.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>

#include "subscriber/usage/lease_probe.hpp"

namespace lull::subscriber {

namespace {

// The kernel tells of a close a moment before the file is closed: the lease is tried again after these times.
constexpr std::array retries = {std::chrono::milliseconds(0), std::chrono::milliseconds(5),
                                std::chrono::milliseconds(50)};

}  // namespace

Result<std::unique_ptr<OpenFileWatch>> OpenFileWatch::open(EventLoop& loop, fs::path const& path,
                                                           std::function<void()> free) {
    auto file = open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!file) return pass(file.error());
    FileDescriptor events(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!events.valid() || inotify_add_watch(events.get(), path.c_str(), IN_CLOSE | IN_DONT_FOLLOW) < 0)
        return fail_errno("watch", path);
    return std::unique_ptr<OpenFileWatch>(
        new OpenFileWatch(loop, path, std::move(free), *std::move(file), std::move(events)));
}

// The first look is for those who closed the file before it was watched.
OpenFileWatch::OpenFileWatch(EventLoop& loop, fs::path path, std::function<void()> free, FileDescriptor file,
                             FileDescriptor events)
    : loop_(loop),
      path_(std::move(path)),
      free_(std::move(free)),
      file_(std::move(file)),
      events_(std::move(events)),
      watch_(loop.watch(events_.get(), POLLIN, [this] { closed(); })),
      timer_(loop.after({}, [this] { look(0); })) {}

OpenFileWatch::~OpenFileWatch() {
    loop_.unwatch(watch_);
    loop_.cancel(timer_);
}

void OpenFileWatch::closed() {
    alignas(inotify_event) std::array<char, 4096> block{};
    while (read(events_.get(), block.data(), block.size()) > 0) {}
    loop_.cancel(timer_);
    look(0);
}

// What cannot be asked is told like what is free: the next look finds out.
void OpenFileWatch::look(int tries) {
    if (!free_) return;
    auto const open = is_open_elsewhere(file_.get(), path_);
    auto const next = static_cast<std::size_t>(tries) + 1;
    if (open && *open) {
        if (next < retries.size()) timer_ = loop_.after(retries.at(next), [this, tries] { look(tries + 1); });
        return;
    }
    auto const tell = std::exchange(free_, nullptr);
    tell();
}

}  // namespace lull::subscriber
