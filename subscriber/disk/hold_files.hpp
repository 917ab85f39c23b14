#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/event_loop.hpp"
#include "subscriber/disk/layout.hpp"
#include "subscriber/model/hold.hpp"

namespace lull::subscriber {

// Holds are small files in ROOT/.lull/holds, so that they can be set while the daemon is off, and survive everything.
// No name: the hold of every software. Durable when they return.
[[nodiscard]] Status save_hold(Layout const& layout, std::optional<SoftwareName> const& software, Hold const& hold);
// Whether there was one.
[[nodiscard]] Result<bool> remove_hold(Layout const& layout, std::optional<SoftwareName> const& software);
// Fault::damaged names a file that is none of ours and what to do: a hold that cannot be read must not be taken for
// none.
[[nodiscard]] Result<Holds> load_holds(Layout const& layout);

// Tells when holds are set or taken back, by inotify(7). Where the kernel has no instance or watch left for this user
// it looks every `slow_look` instead.
class HoldWatch {
public:
    static constexpr Duration slow_look = std::chrono::seconds(2);

    // `changed` runs on the loop. An error where the directory cannot be watched.
    [[nodiscard]] static Result<std::unique_ptr<HoldWatch>> open(EventLoop& loop, Layout const& layout,
                                                                 std::function<void()> changed);
    ~HoldWatch();
    HoldWatch(HoldWatch const&) = delete;
    HoldWatch& operator=(HoldWatch const&) = delete;

    // Why it looks at times, and what to do; empty where the kernel tells.
    [[nodiscard]] std::string const& lacking() const { return lacking_; }

private:
    HoldWatch(EventLoop& loop, fs::path directory, std::function<void()> changed);
    [[nodiscard]] Status watch_by_kernel();
    void drain();
    void look();

    EventLoop& loop_;
    fs::path directory_;
    std::function<void()> changed_;
    std::string lacking_;
    FileDescriptor notify_;
    std::optional<EventLoop::WatchId> watch_;
    std::optional<EventLoop::TimerId> timer_;
    std::int64_t seen_ = 0;  // time of the directory, in nanoseconds
};

}  // namespace lull::subscriber
