#include "core/inotify.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace lull {

namespace {

constexpr std::size_t block_size = 64 * 1024;
constexpr std::uint32_t changes = IN_CREATE | IN_DELETE | IN_MODIFY | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO |
                                  IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF | IN_EXCL_UNLINK | IN_ONLYDIR |
                                  IN_DONT_FOLLOW;

Inotify::Event to_event(inotify_event const& raw, char const* name) {
    Inotify::Event event;
    event.watch = raw.wd;
    if (raw.len > 0) event.name = name;  // ends with at least one zero byte
    event.overflow = (raw.mask & IN_Q_OVERFLOW) != 0;
    event.removed = (raw.mask & (IN_IGNORED | IN_UNMOUNT)) != 0;
    event.entry = (raw.mask & (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)) != 0;
    return event;
}

}  // namespace

Result<Inotify> Inotify::open() {
    FileDescriptor file(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (file.valid()) return Inotify(std::move(file));
    if (errno == EMFILE) {
        return fail(Fault::no_space,
                    "this user has no inotify instance left; raise the sysctl fs.inotify.max_user_instances");
    }
    return fail_errno("open", "inotify");
}

Result<int> Inotify::watch(fs::path const& directory) const {
    int const watch = inotify_add_watch(file_.get(), directory.c_str(), changes);
    if (watch >= 0) return watch;
    if (errno == ENOSPC) {
        return fail(Fault::no_space,
                    "this user has no inotify watch left; raise the sysctl fs.inotify.max_user_watches");
    }
    return fail_errno("watch", directory);
}

void Inotify::unwatch(int watch) const { (void)inotify_rm_watch(file_.get(), watch); }

std::vector<Inotify::Event> Inotify::read() {
    std::vector<Event> events;
    alignas(inotify_event) std::array<char, block_size> block;
    auto const size = ::read(file_.get(), block.data(), block.size());
    for (std::size_t at = 0; size > 0 && at + sizeof(inotify_event) <= static_cast<std::size_t>(size);) {
        inotify_event raw{};
        std::memcpy(&raw, block.data() + at, sizeof raw);
        events.push_back(to_event(raw, block.data() + at + sizeof raw));
        at += sizeof raw + raw.len;
    }
    return events;
}

}  // namespace lull
