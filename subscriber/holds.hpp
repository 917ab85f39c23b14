#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "core/event_loop.hpp"
#include "subscriber/layout.hpp"

namespace lull::subscriber {

// Somebody does not want a piece of software to change here for now.
struct Hold {
    WallTime since;
    std::optional<WallTime> until{};  // none: until it is taken back
    std::string by;                   // user name
    std::string why;                  // their words; may be empty
    bool operator==(Hold const&) const = default;
};

// All holds of a node.
struct Holds {
    std::map<SoftwareName, Hold> by_software;
    std::optional<Hold> all{};  // of every software

    // The one that counts at this time: that of the software before that of all. Those that have expired do not count.
    [[nodiscard]] Hold const* find(SoftwareName const& software, WallTime now) const;
    bool operator==(Holds const&) const = default;
};

// Holds are small files in ROOT/.lull/holds, so that they can be set while the daemon is off, and survive everything. No name: the hold of
// every software. Durable when they return.
[[nodiscard]] Status save_hold(Layout const& layout, std::optional<SoftwareName> const& software, Hold const& hold);
// Whether there was one.
[[nodiscard]] Result<bool> remove_hold(Layout const& layout, std::optional<SoftwareName> const& software);
// Fault::damaged names a file that is none of ours and what to do: a hold that cannot be read must not be taken for none.
[[nodiscard]] Result<Holds> load_holds(Layout const& layout);

// Tells when holds are set or taken back, by inotify(7).
class HoldWatch {
public:
    // `changed` runs on the loop. An error where the directory cannot be watched.
    [[nodiscard]] static Result<std::unique_ptr<HoldWatch>> open(EventLoop& loop, Layout const& layout, std::function<void()> changed);
    ~HoldWatch();
    HoldWatch(HoldWatch const&) = delete;
    HoldWatch& operator=(HoldWatch const&) = delete;

private:
    HoldWatch(EventLoop& loop, FileDescriptor notify, std::function<void()> changed);
    void drain();

    EventLoop& loop_;
    FileDescriptor notify_;
    std::function<void()> changed_;
    EventLoop::WatchId watch_;
};

}  // namespace lull::subscriber
