#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/event_loop.hpp"
#include "schema/messages.hpp"

namespace lull::subscriber {

// What became of a holder that was to end.
enum class HolderEnd {
    gone,     // there was no such process any more
    ended,    // after SIGTERM
    killed,   // after SIGKILL
    refused,  // it may not be ended, or we may not end it; `why` says which
    stayed,   // it is there still, though it was killed: the kernel does not let it go
    spared,   // it had not ended after SIGTERM when the stop was cancelled: it lives on
};

struct StoppedHolder {
    Holder holder;
    HolderEnd end = HolderEnd::gone;
    Duration took{};  // from SIGTERM to its end, or to the cancel
    std::string why;  // of `refused` and `stayed`
};

// "pid 4242 (kiosk-browser) ended 2 s after SIGTERM".
[[nodiscard]] std::string to_text(StoppedHolder const& stopped);

// Sends SIGTERM to holders, and SIGKILL to those that do not end, by pidfd: only ever to the process that was seen,
// never to a later one of its pid, nor to this one, nor the first one, nor a thread of the kernel. Waits without
// polling. Belongs to the loop's thread.
class HolderStopper {
public:
    // Runs on the loop, once, never within stop(): all of them in the order in which they were given. May destroy the
    // stopper.
    using Done = std::function<void(std::vector<StoppedHolder>)>;

    // `kill_wait`: how long after SIGKILL a process is waited for.
    explicit HolderStopper(EventLoop& loop, Duration kill_wait = std::chrono::seconds(5))
        : loop_(loop),
          kill_wait_(kill_wait) {}
    // Lets go of all.
    ~HolderStopper();
    HolderStopper(HolderStopper const&) = delete;
    HolderStopper& operator=(HolderStopper const&) = delete;

    // SIGTERM now (and SIGCONT, for those that are stopped), SIGKILL after `grace`. Takes the place of what went on for
    // this software.
    void stop(SoftwareName const& software, std::vector<Holder> const& holders, Duration grace, Done done);
    // Sends nothing any more for this software: processes that still live are spared. `done` runs at once, but not
    // within this call. Nothing if nothing goes on.
    void cancel(SoftwareName const& software);
    // Sends nothing any more for this software, and does not tell how it went.
    void let_go(SoftwareName const& software);

private:
    struct Followed {
        StoppedHolder result;
        FileDescriptor process;  // pidfd; none: it is settled what became of it
        std::optional<EventLoop::WatchId> watch;
        bool killed = false;  // SIGKILL was sent
    };
    struct Stop {
        std::vector<Followed> holders;
        std::size_t left = 0;
        TimePoint began;
        Done done;
        std::optional<EventLoop::TimerId> timer;
    };

    [[nodiscard]] static Followed ask(Holder const& holder);
    void ended(SoftwareName const& software, std::size_t index, HolderEnd how);
    void kill_rest(SoftwareName const& software);
    void leave_rest(SoftwareName const& software);
    void settle(Stop& stop, Followed& followed, HolderEnd how, std::string why);
    void finish(SoftwareName const& software);
    void forget(Stop& stop);

    EventLoop& loop_;
    Duration kill_wait_;
    std::map<SoftwareName, Stop> stops_;
};

}  // namespace lull::subscriber
