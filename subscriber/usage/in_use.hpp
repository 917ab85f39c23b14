#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "core/event_loop.hpp"
#include "schema/messages.hpp"
#include "subscriber/disk/layout.hpp"
#include "subscriber/usage/process_inspector.hpp"

namespace lull::subscriber {

// What a look through /proc gave.
struct UseScan {
    std::vector<Holder> holders;    // in order of pid
    std::vector<UsageKinds> signs;  // of each of them, in the same order: by what it was seen
    std::size_t unreadable = 0;     // processes that we may not look into: they may be holders as well
};

// Who uses a version: whose program, mapping, open file, working directory, root or argument is one of the tree's (by
// device and inode), or who has a lock on the version's lock file. Never this process itself, nor
// what it has forked and not executed (process_reaper). An error if `proc` or
// the tree cannot be read: that is not "nobody".
[[nodiscard]] Result<UseScan> find_holders(Layout const& layout, ReleaseId const& release,
                                           fs::path const& proc = "/proc", LookDepth depth = LookDepth::full);

// Tells when holders end, by pidfd. Belongs to the loop's thread.
class HolderWatch {
public:
    using Exited = std::function<void(Holder const&)>;

    // `exited` runs on the loop, once for each holder; it may call follow(), and may destroy the watch.
    HolderWatch(EventLoop& loop, Exited exited);
    ~HolderWatch();
    HolderWatch(HolderWatch const&) = delete;
    HolderWatch& operator=(HolderWatch const&) = delete;

    // Follows exactly these from now on. One that has ended already (or whose pid is another process's by now) is
    // reported as well.
    [[nodiscard]] Status follow(std::vector<Holder> const& holders);
    [[nodiscard]] std::size_t count() const;

private:
    struct State;
    std::shared_ptr<State> state_;  // shared with tasks that were posted and not yet run
};

}  // namespace lull::subscriber
