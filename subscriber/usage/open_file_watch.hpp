#pragma once

#include <functional>
#include <memory>

#include "core/event_loop.hpp"
#include "core/files.hpp"

namespace lull::subscriber {

// Tells when nobody else has a file open any more, whoever it was: by inotify(7), and a lease that is tried after each
// close. Belongs to the loop's thread. Has the file open itself as long as it is there.
class OpenFileWatch {
public:
    // `free` runs on the loop, once. An error: it cannot be watched.
    [[nodiscard]] static Result<std::unique_ptr<OpenFileWatch>> open(EventLoop& loop, fs::path const& path,
                                                                     std::function<void()> free);
    ~OpenFileWatch();
    OpenFileWatch(OpenFileWatch const&) = delete;
    OpenFileWatch& operator=(OpenFileWatch const&) = delete;

private:
    OpenFileWatch(EventLoop& loop, fs::path path, std::function<void()> free, FileDescriptor file,
                  FileDescriptor events);
    void closed();
    void look(int tries);

    EventLoop& loop_;
    fs::path path_;
    std::function<void()> free_;  // empty once it has run
    FileDescriptor file_;
    FileDescriptor events_;  // inotify(7)
    EventLoop::WatchId watch_;
    EventLoop::TimerId timer_;  // of the next look
};

}  // namespace lull::subscriber
