#pragma once

#include <memory>
#include <set>

#include "core/clock.hpp"
#include "core/log.hpp"
#include "store/writer.hpp"
#include "subscriber/agent.hpp"
#include "subscriber/announcements.hpp"
#include "subscriber/exchange.hpp"
#include "subscriber/health_checks.hpp"
#include "subscriber/hooks.hpp"
#include "subscriber/holder_notices.hpp"
#include "subscriber/incoming.hpp"
#include "subscriber/installer.hpp"
#include "subscriber/link_state.hpp"
#include "subscriber/scanner.hpp"
#include "subscriber/use_control.hpp"
#include "subscriber/use_guard.hpp"

namespace lull::subscriber {

struct DaemonSettings {
    Layout layout;
    JoinBundle bundle;
    ArchitectureName architecture;
    Bytes reserve = MiB(16);
    Duration scan = std::chrono::minutes(10);
    Bytes memory = MiB(64);  // of this process, when it applies a delta
    NodeRules rules{};
    NoticeSettings notices{};
    std::string check_user = "nobody";  // whom programs of releases become where we are root
};

// The shell around the agent: makes events of what sockets, workers and the writer say, and performs the actions. The agent is
// reached from the loop's thread only.
class Daemon {
public:
    // Opens the journal (one daemon a root), puts incoming/ in order, loads what the node knows. `loop` and `log` outlive it.
    [[nodiscard]] static Result<std::unique_ptr<Daemon>> open(DaemonSettings settings, EventLoop& loop, Log& log);

    // Serves until the loop is stopped; then commits what is queued. Fails if the journal cannot be written.
    [[nodiscard]] Status run();

    Daemon(Daemon const&) = delete;
    Daemon& operator=(Daemon const&) = delete;

private:
    Daemon(DaemonSettings settings, store::Environment journal, Agent agent, EventLoop& loop, Log& log);

    void raise(Event event);
    void settle(Actions actions);
    void arm();
    void note_link(bool connected, std::string detail);

    void perform(OpenExchange const& action);
    void perform(CloseExchange const& action);
    void perform(Send const& action);
    void perform(Persist& action);
    void perform(StoreFrame const& action);
    void perform(DropObjects& action);
    void perform(MakePlan const& action);
    void perform(StageRelease const& action);
    void perform(ProbeUse const& action);
    void perform(WatchUse const& action);
    void perform(LetGo const& action);
    void perform(TellHolders const& action);
    void perform(EndUse const& action);
    void perform(StartUse const& action);
    void perform(CheckHealth const& action);
    void perform(RunHook const& action);
    void perform(SwitchCurrent const& action);
    void perform(RemoveVersions const& action);
    void perform(PointBack const& action);
    void perform(ScanTrees const& action);
    void show_flow(std::string text);
    void read_holds();
    void perform(ShowFlow const& action) { show_flow(action.text); }
    void perform(Say const& action);

    EventLoop& loop_;
    Log& log_;
    SystemClock clock_;
    DaemonSettings settings_;
    store::Environment journal_;
    Agent agent_;
    std::deque<Event> events_;
    bool deciding_ = false;
    Frame payload_;  // of the DATA that is being decided about
    std::optional<EventLoop::TimerId> timer_;
    std::optional<LinkState> link_;
    Status outcome_;

    MessagingContext context_;
    Announcements announcements_;
    Exchange exchange_;

    // Threads: they end first, the writer last of them.
    store::Writer writer_;
    Incoming incoming_;
    TreeAccess trees_;
    Installer installer_;
    Scanner scanner_;
    UseGuard guard_;
    HolderNotices notices_;
    UseControl control_;
    HealthChecks health_;
    Hooks hooks_;
    std::unique_ptr<HoldWatch> hold_watch_;
};

}  // namespace lull::subscriber
