#pragma once

#include <string>
#include <vector>

#include "core/files.hpp"

namespace lull {

// What the kernel reports about the directories that a process watches (inotify(7)). A watch is for one directory, not
// for those below it, and does not keep a file system from being unmounted.
class Inotify {
public:
    struct Event {
        int watch = -1;         // -1: of all watches
        std::string name;       // in the directory; empty: the directory itself
        bool overflow = false;  // the kernel dropped events
        bool removed = false;   // the watch is gone: its directory was removed or unmounted
        bool entry = false;     // the name came, went or was given to something else
    };

    // Fault::no_space if this user has too many instances; the message names the sysctl.
    [[nodiscard]] static Result<Inotify> open();

    // Watches a directory for changes of its entries and of their contents and attributes; returns the watch. The same
    // directory has the same watch. Does not follow a symbolic link. Any thread may call it. Fault::no_space if this
    // user has too many watches; the message names the sysctl.
    [[nodiscard]] Result<int> watch(fs::path const& directory) const;
    // Fine if the watch is gone.
    void unwatch(int watch) const;

    // Readable when there are events.
    [[nodiscard]] int descriptor() const { return file_.get(); }
    // The events that fit into 64 KiB; empty if there are none.
    [[nodiscard]] std::vector<Event> read();

private:
    explicit Inotify(FileDescriptor file) : file_(std::move(file)) {}
    FileDescriptor file_;
};

}  // namespace lull
