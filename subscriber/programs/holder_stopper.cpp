#include "subscriber/programs/holder_stopper.hpp"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <limits>

#include "subscriber/proc/process_stat.hpp"
#include "subscriber/programs/process_reaper.hpp"

namespace lull::subscriber {

namespace {

constexpr char const* first_process = "it is the first process of this machine";
constexpr char const* ourselves = "it is lull-node itself";
constexpr char const* kernel_thread = "it is a thread of the kernel";
constexpr char const* not_permitted =
    "it belongs to somebody else; lull-node needs root, or the capability CAP_KILL, to end it";
constexpr char const* not_let_go = "the kernel does not let it go; a device or file server may hold it";

// Why this pid is never signalled, whoever it is; empty if it may be.
std::string_view protection_of(std::uint64_t pid) {
    if (pid == static_cast<std::uint64_t>(getpid())) return ourselves;
    if (pid <= 1) return first_process;
    if (pid > static_cast<std::uint64_t>(std::numeric_limits<pid_t>::max())) return "there are no such pids";
    return "";
}

bool has_ended(int pidfd) {
    pollfd ended{pidfd, POLLIN, 0};
    return poll(&ended, 1, 0) == 1;
}

// What is known before anything was sent; nothing: the process may be signalled. The stat is read after the descriptor
// was opened, so what it says is about the descriptor's process, or about nobody that lives.
std::optional<StoppedHolder> settled_before(Holder const& holder, int pidfd) {
    auto const stat = read_process_stat("/proc", holder.pid);
    if (!stat) return StoppedHolder{holder, HolderEnd::refused, {}, stat.error().message};
    bool const same = *stat && (*stat)->started == holder.since;
    if (!same || has_ended(pidfd)) return StoppedHolder{holder, HolderEnd::gone, {}, ""};
    if ((*stat)->kernel_thread) return StoppedHolder{holder, HolderEnd::refused, {}, kernel_thread};
    return std::nullopt;
}

}  // namespace

std::string to_text(StoppedHolder const& stopped) {
    auto const who = fmt::format("pid {} ({})", stopped.holder.pid, printable(stopped.holder.command));
    auto const took = lull::to_text(stopped.took);
    switch (stopped.end) {
        case HolderEnd::gone: return who + " was gone already";
        case HolderEnd::ended: return fmt::format("{} ended {} after SIGTERM", who, took);
        case HolderEnd::killed: return fmt::format("{} did not end after SIGTERM and was killed after {}", who, took);
        case HolderEnd::refused: return fmt::format("{} cannot be ended: {}", who, stopped.why);
        case HolderEnd::spared: return fmt::format("{} had not ended {} after SIGTERM and lives on", who, took);
        case HolderEnd::stayed: break;
    }
    return fmt::format("{} was killed and is there still: {}", who, stopped.why);
}

HolderStopper::~HolderStopper() {
    for (auto& [software, stop] : stops_) forget(stop);
}

// Without a pidfd in what it returns it is settled what became of this one.
HolderStopper::Followed HolderStopper::ask(Holder const& holder) {
    if (auto const why = protection_of(holder.pid); !why.empty())
        return {{holder, HolderEnd::refused, {}, std::string(why)}, {}, {}, false};
    FileDescriptor process(static_cast<int>(syscall(SYS_pidfd_open, static_cast<pid_t>(holder.pid), 0)));
    // EINVAL: a thread of some other process has this number now.
    if (!process.valid() && (errno == ESRCH || errno == EINVAL))
        return {{holder, HolderEnd::gone, {}, ""}, {}, {}, false};
    if (!process.valid()) {
        auto const error = fail_errno("follow process", std::to_string(holder.pid)).value();
        return {{holder, HolderEnd::refused, {}, error.message}, {}, {}, false};
    }
    if (auto settled = settled_before(holder, process.get())) return {*std::move(settled), {}, {}, false};
    if (!send_signal(process.get(), SIGTERM)) {
        auto const end = errno == ESRCH ? HolderEnd::gone : HolderEnd::refused;
        return {{holder, end, {}, end == HolderEnd::gone ? "" : not_permitted}, {}, {}, false};
    }
    // One that is stopped would not see it.
    static_cast<void>(send_signal(process.get(), SIGCONT));
    return {{holder, HolderEnd::ended, {}, ""}, std::move(process), {}, false};
}

void HolderStopper::stop(SoftwareName const& software, std::vector<Holder> const& holders, Duration grace, Done done) {
    let_go(software);
    auto& stop = stops_[software];
    stop.began = loop_.now();
    stop.done = std::move(done);
    for (std::size_t index = 0; index < holders.size(); ++index) {
        auto& followed = stop.holders.emplace_back(ask(holders[index]));
        if (!followed.process.valid()) continue;
        ++stop.left;
        auto const by_itself = [this, software, index] { ended(software, index, HolderEnd::ended); };
        followed.watch = loop_.watch(followed.process.get(), POLLIN, by_itself);
    }
    if (stop.left == 0) {
        stop.timer = loop_.after(Duration::zero(), [this, software] { finish(software); });
    } else {
        stop.timer = loop_.after(grace, [this, software] { kill_rest(software); });
    }
}

void HolderStopper::settle(Stop& stop, Followed& followed, HolderEnd how, std::string why) {
    loop_.unwatch(*followed.watch);
    followed.watch.reset();
    followed.process.reset();
    followed.result.end = how;
    followed.result.why = std::move(why);
    followed.result.took = loop_.now() - stop.began;
    --stop.left;
}

void HolderStopper::ended(SoftwareName const& software, std::size_t index, HolderEnd how) {
    auto& stop = stops_.at(software);
    settle(stop, stop.holders[index], how, "");
    if (stop.left == 0) finish(software);
}

void HolderStopper::kill_rest(SoftwareName const& software) {
    auto& stop = stops_.at(software);
    for (std::size_t index = 0; index < stop.holders.size(); ++index) {
        auto& followed = stop.holders[index];
        if (!followed.process.valid()) continue;
        if (has_ended(followed.process.get())) {
            settle(stop, followed, HolderEnd::ended, "");
            continue;
        }
        if (!send_signal(followed.process.get(), SIGKILL) && errno != ESRCH) {
            settle(stop, followed, HolderEnd::refused, not_permitted);
            continue;
        }
        followed.killed = true;
        loop_.unwatch(*followed.watch);
        auto const killed = [this, software, index] { ended(software, index, HolderEnd::killed); };
        followed.watch = loop_.watch(followed.process.get(), POLLIN, killed);
    }
    stop.timer = loop_.after(stop.left == 0 ? Duration::zero() : kill_wait_,
                             [this, software] { leave_rest(software); });
}

// What was killed already ends in this instant: it cannot be spared any more.
void HolderStopper::cancel(SoftwareName const& software) {
    auto const found = stops_.find(software);
    if (found == stops_.end()) return;
    auto& stop = found->second;
    for (auto& followed : stop.holders) {
        if (!followed.process.valid()) continue;
        bool const ended = has_ended(followed.process.get());
        auto const alive = followed.killed ? HolderEnd::killed : HolderEnd::spared;
        settle(stop, followed, ended && !followed.killed ? HolderEnd::ended : alive, "");
    }
    if (stop.timer) loop_.cancel(*stop.timer);
    stop.timer = loop_.after(Duration::zero(), [this, software] { finish(software); });
}

void HolderStopper::leave_rest(SoftwareName const& software) {
    auto& stop = stops_.at(software);
    for (auto& followed : stop.holders) {
        if (followed.process.valid()) settle(stop, followed, HolderEnd::stayed, not_let_go);
    }
    finish(software);
}

void HolderStopper::finish(SoftwareName const& software) {
    auto stop = std::move(stops_.extract(software).mapped());
    forget(stop);
    std::vector<StoppedHolder> results;
    for (auto& followed : stop.holders) results.push_back(std::move(followed.result));
    stop.done(std::move(results));
}

void HolderStopper::forget(Stop& stop) {
    if (stop.timer) loop_.cancel(*stop.timer);
    for (auto& followed : stop.holders) {
        if (followed.watch) loop_.unwatch(*followed.watch);
    }
}

void HolderStopper::let_go(SoftwareName const& software) {
    auto const found = stops_.find(software);
    if (found == stops_.end()) return;
    forget(found->second);
    stops_.erase(found);
}

}  // namespace lull::subscriber
