#pragma once

#include <memory>
#include <set>

#include "core/clock.hpp"
#include "core/log.hpp"
#include "store/writer.hpp"
#include "subscriber/agent/agent.hpp"
#include "subscriber/daemon/call_desk.hpp"
#include "subscriber/daemon/call_shell.hpp"
#include "subscriber/disk/hold_files.hpp"
#include "subscriber/disk/link_state.hpp"
#include "subscriber/disk/start_count.hpp"
#include "subscriber/install/incoming.hpp"
#include "subscriber/install/installer.hpp"
#include "subscriber/install/scanner.hpp"
#include "subscriber/net/announcements.hpp"
#include "subscriber/net/exchange.hpp"
#include "subscriber/notify/holder_notices.hpp"
#include "subscriber/programs/health_checks.hpp"
#include "subscriber/programs/hooks.hpp"
#include "subscriber/programs/use_control.hpp"
#include "subscriber/usage/usage_monitor.hpp"

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
    // This node runs programs for others: what they may be (architecture and keys are those of the node), and how.
    std::optional<ExecutorSettings> executor{};
    CallShellSettings calls{};
    std::optional<std::string> call_group{};  // may call besides root
    Strays strays = Strays::move;
    std::optional<OwnProgram> own_program{};  // this daemon is a release that the node installs
};

// The shell around the agent: makes events of what sockets, workers and the writer say, and performs the actions. The
// agent is reached from the loop's thread only.
class Daemon {
public:
    // Opens the journal (one daemon a root), puts incoming/ in order, loads what the node knows. `loop` and `log`
    // outlive it.
    [[nodiscard]] static Result<std::unique_ptr<Daemon>> open(DaemonSettings settings, EventLoop& loop, Log& log);

    // Serves until the loop is stopped; then commits what is queued. Fails if the journal cannot be written.
    [[nodiscard]] Status run();
    // After run(): the release of lull-node that is to go on in this process.
    [[nodiscard]] std::optional<ReleaseId> const& successor() const { return successor_; }

    Daemon(Daemon const&) = delete;
    Daemon& operator=(Daemon const&) = delete;

private:
    Daemon(DaemonSettings settings, store::Environment journal, std::unique_ptr<Agent> agent, EventLoop& loop,
           Log& log);

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
    void perform(MakeRoom const& action);
    void perform(PointBack const& action);
    void perform(ScanTrees const& action);
    void show_flow(std::string text);
    void read_holds();
    [[nodiscard]] Status open_calls();
    void perform(CancelJob const& action);
    void perform(DoForCall const& action) { calls_->perform(action.action, payload_); }
    void perform(ShowFlow const& action) { show_flow(action.text); }
    void perform(HandOver const& action);
    void perform(Say const& action);

    EventLoop& loop_;
    Log& log_;
    SystemClock clock_;
    DaemonSettings settings_;
    store::Environment journal_;
    std::unique_ptr<Agent> agent_;
    std::deque<Event> events_;
    bool deciding_ = false;
    Frame payload_;  // of the DATA that is being decided about
    std::optional<EventLoop::TimerId> timer_;
    std::optional<LinkState> link_;
    Status outcome_;
    std::optional<ReleaseId> successor_;

    MessagingContext context_;
    Announcements announcements_;
    Exchange exchange_;

    // Threads: they end first, the writer last of them.
    store::Writer writer_;
    Incoming incoming_;
    TreeAccess trees_;
    Installer installer_;
    Scanner scanner_;
    UsageMonitor guard_;
    HolderNotices notices_;
    UseControl control_;
    HealthChecks health_;
    Hooks hooks_;
    std::unique_ptr<HoldWatch> hold_watch_;
    std::unique_ptr<CallShell> calls_;  // of an executor
    std::unique_ptr<CallDesk> desk_;
};

}  // namespace lull::subscriber
