#pragma once

#include <functional>
#include <map>

#include "core/workers.hpp"
#include "subscriber/model/actions.hpp"
#include "subscriber/usage/in_use.hpp"
#include "subscriber/usage/open_file_watch.hpp"
#include "subscriber/usage/scan_pacer.hpp"
#include "subscriber/usage/use_lock.hpp"

namespace lull::subscriber {

// What a look at a version gave: who uses it, and a file of it that somebody has open whom /proc does not show.
struct UsageCheck {
    UseScan scan;
    std::optional<fs::path> open_file;
};

// Finds out whether a version is in use, waits until it may not be, and keeps it locked between "free" and the switch,
// so that a launch in that instant waits and then gets the new version.
class UsageMonitor {
public:
    // `tell` runs on the loop with UseFound or UseMayHaveEnded.
    using Tell = std::function<void(Event)>;
    UsageMonitor(EventLoop& loop, Layout const& layout, Tell tell);

    void probe(ProbeUse const& order);
    void watch(WatchUse const& order);
    void let_go(SoftwareName const& software);

private:
    struct Guarded {
        std::optional<UseLock> lock;        // from "free" until the switch
        std::optional<UseLock> waited_for;  // what the waiter got, until the look that follows
        bool launched = false;              // the lock file is held by what `lull-node run` started
        std::optional<fs::path> open_file;  // by somebody whom /proc does not show
        std::unique_ptr<UseWaiter> waiter;
        std::unique_ptr<HolderWatch> watch;
        std::unique_ptr<OpenFileWatch> open_file_watch;
        std::optional<EventLoop::TimerId> net;  // the slow look, for what none of these sees
        bool passing = false;  // the use may end before its process does: then the slow look begins quickly
        Duration next_net = std::chrono::milliseconds(250);
        std::optional<EventLoop::TimerId> put_off;  // the next look, while they follow each other too quickly
        ScanPacer pace;
    };
    void stop_watching(Guarded& guarded);
    void answer(ReleaseId const& active, Result<UsageCheck> seen, TimePoint began);
    void look_soon(SoftwareName const& software);
    void look_with_lock(SoftwareName const& software);

    EventLoop& loop_;
    Layout layout_;
    Tell tell_;
    std::map<SoftwareName, Guarded> guarded_;
    Workers worker_;
};

}  // namespace lull::subscriber
