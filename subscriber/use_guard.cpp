#include "subscriber/use_guard.hpp"

#include "subscriber/lease_probe.hpp"
#include "subscriber/notices.hpp"

namespace lull::subscriber {

namespace {

constexpr Duration slow_look = std::chrono::seconds(30);

// Looks through /proc; where that does not show everything, asks the kernel for leases as well: they also tell of processes that
// we may not look into.
Result<UseLook> look(Layout const& layout, ReleaseId const& active) {
    auto scan = find_holders(layout, active);
    if (!scan) return pass(scan.error());
    UseLook seen{std::move(*scan), std::nullopt};
    if (!seen.scan.holders.empty() || seen.scan.unreadable == 0) return seen;
    auto open = find_open_file(layout, active);
    if (!open) return pass(open.error());
    seen.open_file = std::move(*open);
    return seen;
}

// What the list of holders does not say.
std::string describe(UseLook const& seen) {
    if (seen.open_file) return fmt::format("a process that cannot be looked into has {} open", seen.open_file->filename().string());
    if (seen.scan.holders.empty()) return "locked by a process that cannot be found";
    return "";
}

}  // namespace

UseGuard::UseGuard(EventLoop& loop, Layout const& layout, Clock const& clock, Tell tell)
    : loop_(loop), layout_(layout), clock_(clock), tell_(std::move(tell)), worker_(loop, 1) {}

// The lock is taken before /proc is read: nothing can be launched between the look and the switch.
void UseGuard::probe(ProbeUse const& order) {
    auto& guarded = guarded_[order.active.software];
    stop_watching(guarded);
    guarded.lock.reset();
    auto lock = UseLock::try_exclusive(layout_.lock(order.active));
    if (!lock) return tell_(UseFound{order.active.software, UseAnswer::unknown, {}, lock.error().message});
    guarded.launched = !lock->has_value();
    guarded.lock = std::move(*lock);
    worker_.submit([this, active = order.active] { return look(layout_, active); },
                   [this, active = order.active](Result<UseLook> seen) { answer(active, std::move(seen)); });
}

void UseGuard::answer(ReleaseId const& active, Result<UseLook> seen) {
    auto& guarded = guarded_[active.software];
    if (!seen) {
        guarded.lock.reset();
        return tell_(UseFound{active.software, UseAnswer::unknown, {}, seen.error().message});
    }
    if (seen->scan.holders.empty() && !seen->open_file && guarded.lock) return tell_(UseFound{active.software, UseAnswer::free, {}, ""});
    guarded.lock.reset();
    auto why = describe(*seen);
    tell_(UseFound{active.software, UseAnswer::in_use, std::move(seen->scan.holders), std::move(why)});
}

// By lock and pidfd, without polling; the slow look is the net below both.
void UseGuard::watch(WatchUse const& order) {
    auto const& software = order.active.software;
    auto& guarded = guarded_[software];
    stop_watching(guarded);
    // Posted: the agent's answer may end the very watch that is speaking.
    auto const look_again = [this, software] { loop_.post([this, software] { tell_(UseMayHaveEnded{software}); }); };
    if (guarded.launched) {
        guarded.waiter = std::make_unique<UseWaiter>(loop_, layout_.lock(order.active), [look_again](Result<UseLock> lock) {
            { auto const free_again = std::move(lock); }
            look_again();
        });
    }
    guarded.watch = std::make_unique<HolderWatch>(loop_, [look_again](Holder const&) { look_again(); });
    [[maybe_unused]] auto const followed = guarded.watch->follow(order.holders);  // what cannot be followed is seen by the slow look
    guarded.net = loop_.after(slow_look, look_again);
}

void UseGuard::stop_watching(Guarded& guarded) {
    guarded.waiter.reset();
    guarded.watch.reset();
    if (guarded.net) loop_.cancel(*guarded.net);
    guarded.net.reset();
}

void UseGuard::let_go(SoftwareName const& software) {
    auto const found = guarded_.find(software);
    if (found == guarded_.end()) return;
    stop_watching(found->second);
    guarded_.erase(found);
}

void UseGuard::tell_holders(TellHolders const& order) {
    Notice const notice{order.active.software, order.active.version, order.ready.version};
    auto holders = order.holders;
    for (auto& holder : holders) {
        if (!holder.told && tell(notice, holder)) holder.told = clock_.wall();
    }
    tell_(HoldersTold{order.active.software, std::move(holders)});
}

}  // namespace lull::subscriber
