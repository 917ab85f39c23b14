#include "subscriber/usage/usage_monitor.hpp"

#include <algorithm>

#include "subscriber/usage/lease_probe.hpp"

namespace lull::subscriber {

namespace {

constexpr Duration slow_look = std::chrono::seconds(30);
constexpr std::size_t most_described = 4;

// Asks the kernel for leases, which tell of processes that we may not look into as well, and of what is in nobody's
// hands at the moment; and looks through /proc, which tells who it is, and of working directories and arguments.
Result<UsageCheck> look_once(Layout const& layout, ReleaseId const& active) {
    auto open = find_open_file(layout, active);
    bool const none_open = open && !*open;
    auto scan = find_holders(layout, active, "/proc", none_open ? LookDepth::without_mappings : LookDepth::full);
    if (!scan) return pass(scan.error());
    // Some file systems know no leases: there /proc has to show everything.
    if (!open && scan->holders.empty() && scan->unreadable > 0) return pass(open.error());
    UsageCheck seen{std::move(*scan), std::nullopt};
    if (open && seen.scan.holders.empty()) seen.open_file = std::move(*open);
    return seen;
}

// Who has closed a file since the lease was refused is no holder any more.
Result<UsageCheck> look(Layout const& layout, ReleaseId const& active) {
    auto seen = look_once(layout, active);
    return seen && seen->open_file ? look_once(layout, active) : std::move(seen);
}

// By what each holder was seen; or what holds a version that no holder of ours explains.
std::string describe(UsageCheck const& seen, bool locked) {
    auto const& holders = seen.scan.holders;
    std::vector<std::string> parts;
    for (std::size_t i = 0; i < std::min(most_described, holders.size()); ++i) {
        parts.push_back(fmt::format("pid {} by {}", holders[i].pid, to_text(seen.scan.signs[i])));
    }
    if (holders.size() > most_described) parts.push_back(fmt::format("and {} more", holders.size() - most_described));
    if (seen.open_file)
        parts.push_back(fmt::format("by lease: somebody whom /proc does not show has {} open",
                                    seen.open_file->filename().string()));
    if (holders.empty() && locked) parts.push_back("by lock: whoever holds it cannot be found");
    return fmt::format("seen {}", fmt::join(parts, ", "));
}

}  // namespace

UsageMonitor::UsageMonitor(EventLoop& loop, Layout const& layout, Tell tell)
    : loop_(loop),
      layout_(layout),
      tell_(std::move(tell)),
      worker_(loop, 1) {}

// The lock is taken before /proc is read: nothing can be launched between the look and the switch.
void UsageMonitor::probe(ProbeUse const& order) {
    auto& guarded = guarded_[order.active.software];
    auto waited_for = std::exchange(guarded.waited_for, std::nullopt);
    stop_watching(guarded);
    guarded.lock.reset();
    auto const path = layout_.lock(order.active);
    auto lock = waited_for && waited_for->is_on(path) ? Result<std::optional<UseLock>>(std::move(waited_for))
                                                      : UseLock::try_exclusive(path);
    if (!lock) return tell_(UseFound{order.active.software, UseAnswer::unknown, {}, lock.error().message});
    guarded.launched = !lock->has_value();
    guarded.lock = std::move(*lock);
    worker_.submit([this, active = order.active] { return look(layout_, active); },
                   [this, active = order.active, began = loop_.now()](Result<UsageCheck> seen) {
                       answer(active, std::move(seen), began);
                   });
}

void UsageMonitor::answer(ReleaseId const& active, Result<UsageCheck> seen, TimePoint began) {
    auto& guarded = guarded_[active.software];
    guarded.pace.looked(loop_.now(), loop_.now() - began);
    guarded.open_file.reset();
    if (!seen) {
        guarded.lock.reset();
        return tell_(UseFound{active.software, UseAnswer::unknown, {}, seen.error().message});
    }
    if (seen->scan.holders.empty() && !seen->open_file && guarded.lock)
        return tell_(UseFound{active.software, UseAnswer::free, {}, ""});
    auto why = describe(*seen, !guarded.lock);
    guarded.lock.reset();
    guarded.open_file = std::move(seen->open_file);
    guarded.passing = !std::ranges::all_of(seen->scan.signs, lasts_as_long_as_its_process);
    tell_(UseFound{active.software, UseAnswer::in_use, std::move(seen->scan.holders), std::move(why)});
}

// By lock, pidfd and inotify, without polling; the slow look is the net below them. What cannot be followed is left to
// it.
void UsageMonitor::watch(WatchUse const& order) {
    auto const& software = order.active.software;
    auto& guarded = guarded_[software];
    stop_watching(guarded);
    if (guarded.launched) {
        guarded.waiter = std::make_unique<UseWaiter>(loop_, layout_.lock(order.active),
                                                     [this, software](Result<UseLock> lock) {
                                                         if (!lock) return look_soon(software);
                                                         guarded_[software].waited_for = std::move(*lock);
                                                         loop_.post([this, software] { look_with_lock(software); });
                                                     });
    }
    guarded.watch = std::make_unique<HolderWatch>(loop_, [this, software](Holder const&) { look_soon(software); });
    [[maybe_unused]] auto const followed = guarded.watch->follow(order.holders);
    if (guarded.open_file) {
        auto watch = OpenFileWatch::open(loop_, *guarded.open_file, [this, software] { look_soon(software); });
        if (watch) guarded.open_file_watch = std::move(*watch);
    }
    auto const wait = guarded.passing ? guarded.next_net : slow_look;
    if (guarded.passing) guarded.next_net = std::min(slow_look, wait * 2);
    guarded.net = loop_.after(wait, [this, software] { look_soon(software); });
}

// Posted: the agent's answer may end the very watch that is speaking.
void UsageMonitor::look_soon(SoftwareName const& software) {
    loop_.post([this, software] {
        auto const found = guarded_.find(software);
        if (found == guarded_.end() || found->second.put_off) return;
        auto const wait = found->second.pace.wait(loop_.now());
        if (wait <= Duration()) return tell_(UseMayHaveEnded{software});
        found->second.put_off = loop_.after(wait, [this, software] {
            guarded_[software].put_off.reset();
            tell_(UseMayHaveEnded{software});
        });
    });
}

// A lock that was waited for is passed on to a look at once, or not at all: it must not keep launches waiting for
// nothing.
void UsageMonitor::look_with_lock(SoftwareName const& software) {
    tell_(UseMayHaveEnded{software});
    if (auto const found = guarded_.find(software); found != guarded_.end()) found->second.waited_for.reset();
}

void UsageMonitor::stop_watching(Guarded& guarded) {
    guarded.waiter.reset();
    guarded.waited_for.reset();
    guarded.watch.reset();
    guarded.open_file_watch.reset();
    for (auto* const timer : {&guarded.net, &guarded.put_off}) {
        if (*timer) loop_.cancel(**timer);
        timer->reset();
    }
}

void UsageMonitor::let_go(SoftwareName const& software) {
    auto const found = guarded_.find(software);
    if (found == guarded_.end()) return;
    stop_watching(found->second);
    guarded_.erase(found);
}

}  // namespace lull::subscriber
