#include "subscriber/daemon/daemon.hpp"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>

#include "subscriber/daemon/machine_identity.hpp"
#include "subscriber/install/leftovers.hpp"
#include "subscriber/journal/recovery.hpp"

namespace lull::subscriber {

namespace {

constexpr Duration least_wait = std::chrono::milliseconds(5);

// Between 1 and 10 s, so that a fleet does not reconnect at one moment.
Duration reconnect_jitter() { return std::chrono::milliseconds(1000 + random_u64() % 9000); }

Result<std::map<SoftwareName, ReleaseId>> installed_releases(Layout const& layout, Log& log) {
    auto const software = layout.known_software();
    if (!software) return pass(software.error());
    std::map<SoftwareName, ReleaseId> installed;
    for (auto const& name : *software) {
        auto const current = layout.current(name);
        if (!current) {
            log.error("{}: {}; it counts as not installed", name.text(), current.error().message);
        } else if (*current) {
            installed.emplace(name, **current);
        }
    }
    return installed;
}

AgentSettings agent_settings(DaemonSettings const& settings) {
    AgentSettings agent;
    agent.node = settings.bundle.node;
    agent.architecture = settings.architecture;
    agent.program = "lull-node " LULL_VERSION;
    agent.boot = boot_id();
    agent.machine = machine_of(settings.layout.root());
    agent.trusted = TrustedKeys(settings.bundle.trusted);
    agent.seed = random_u64();
    agent.scan = settings.scan;
    agent.rules = settings.rules;
    agent.own_program = settings.own_program;
    agent.executor = settings.executor;
    if (agent.executor) {
        agent.executor->architecture = agent.architecture;
        agent.executor->trusted = agent.trusted;
    }
    return agent;
}

}  // namespace

Result<std::unique_ptr<Daemon>> Daemon::open(DaemonSettings settings, EventLoop& loop, Log& log) {
    if (auto prepared = settings.layout.prepare(); !prepared) return pass(prepared.error());
    auto journal = journal::open(settings.layout, journal::Access::write);
    if (!journal) return pass(journal.error());
    if (auto cleared = clear_temporary_files(settings.layout, SystemClock().wall()); !cleared)
        log.warn("{}", cleared.error().message);
    journal->drop_stale_readers();
    auto state = journal::load(*journal);
    if (!state) return pass(state.error());
    if (auto ordered = reconcile(*state, *journal, settings.layout, boot_id()); !ordered) return pass(ordered.error());
    auto installed = installed_releases(settings.layout, log);
    if (!installed) return pass(installed.error());
    auto holds = load_holds(settings.layout);
    if (!holds) return pass(holds.error());
    log.info("node {}: {} software known, log recorded up to release {}", settings.bundle.node.text(),
             state->software.size(), state->cursor.seq.value);
    auto agent = std::make_unique<Agent>(agent_settings(settings), std::move(*state), *installed, std::move(*holds));
    auto daemon = std::unique_ptr<Daemon>(
        new Daemon(std::move(settings), std::move(*journal), std::move(agent), loop, log));
    if (auto opened = daemon->open_calls(); !opened) return pass(opened.error());
    if (auto connected = daemon->announcements_.connect(daemon->settings_.bundle.broker); !connected)
        return pass(connected.error());
    return daemon;
}

Daemon::Daemon(DaemonSettings settings, store::Environment journal, std::unique_ptr<Agent> agent, EventLoop& loop,
               Log& log)
    : loop_(loop),
      log_(log),
      settings_(std::move(settings)),
      journal_(std::move(journal)),
      agent_(std::move(agent)),
      announcements_(context_, loop, settings_.bundle, reconnect_jitter(),
                     {[this](Message message) { raise(AnnouncementHeard{std::move(message)}); },
                      [this](Error const& error) { log_.warn("announcement: {}", error.message); },
                      [this](bool connected, std::string detail) { note_link(connected, std::move(detail)); }}),
      exchange_(context_, loop, settings_.bundle,
                {[this] { raise(ExchangeReady{}); }, [this](std::string why) { raise(ExchangeLost{std::move(why)}); },
                 [this](Message message, Frame payload, TimePoint came) {
                     Bytes const size(payload.size());
                     payload_ = std::move(payload);
                     raise(MessageHeard{std::move(message), size, came});
                 }}),
      writer_(journal_, loop),
      incoming_(loop, settings_.layout.incoming(), log_, [this](Event event) { raise(std::move(event)); }),
      installer_(loop, settings_.layout, {TrustedKeys(settings_.bundle.trusted), settings_.reserve, settings_.memory},
                 trees_, [this](Event event) { raise(std::move(event)); }),
      scanner_(loop, settings_.layout, {TrustedKeys(settings_.bundle.trusted), settings_.reserve, settings_.strays},
               trees_, [this](Event event) { raise(std::move(event)); }),
      guard_(loop, settings_.layout, [this](Event event) { raise(std::move(event)); }),
      notices_(loop, settings_.notices, clock_, log_, [this](Event event) { raise(std::move(event)); }),
      control_(loop, settings_.layout, log_, [this](Event event) { raise(std::move(event)); }),
      health_(loop, settings_.layout, settings_.check_user, [this](Event event) { raise(std::move(event)); }),
      hooks_(loop, settings_.layout, settings_.check_user, [this](Event event) { raise(std::move(event)); }) {}

// A node without a desk keeps its software new all the same. Programs of calls run from the loop's thread.
Status Daemon::open_calls() {
    auto desk = CallDesk::open(context_, loop_, settings_.layout, settings_.bundle, settings_.call_group, log_);
    if (!desk && settings_.call_group) return pass(desk.error());
    if (!desk) log_.warn("this node cannot call: {}", desk.error().message);
    if (desk) desk_ = *std::move(desk);
    if (!settings_.executor) return {};
    auto calls = CallShell::open(loop_, settings_.layout,
                                 {TrustedKeys(settings_.bundle.trusted), settings_.reserve, settings_.memory},
                                 settings_.calls, log_,
                                 {[this](Event event) { raise(std::move(event)); },
                                  [this](Message const& message, View payload) { exchange_.send(message, payload); }});
    if (!calls) return pass(calls.error());
    calls_ = *std::move(calls);
    auto const trees = calls_->find_trees();
    if (!trees) return pass(trees.error());
    for (auto const& [release, size] : *trees) agent_->found_call_tree(release, size);
    return {};
}

// One that cannot be read leaves all as it was: what is held stays held.
void Daemon::read_holds() {
    auto holds = load_holds(settings_.layout);
    if (!holds) return log_.error("{}; until then the holds before it count", holds.error().message);
    raise(HoldsRead{std::move(*holds)});
}

Status Daemon::run() {
    auto watch = HoldWatch::open(loop_, settings_.layout, [this] { read_holds(); });
    if (!watch) return pass(watch.error());
    hold_watch_ = std::move(*watch);
    if (!hold_watch_->lacking().empty()) {
        log_.warn("{}; until the next start holds are looked at every {}, and uses of files every now and then",
                  hold_watch_->lacking(), lull::to_text(HoldWatch::slow_look));
    }
    note_link(false, "connecting");
    installer_.clear_leftovers(log_);  // gives way to what the start asks for
    settle(agent_->start(clock_.moment()));
    read_holds();  // one may have come between the first look and the watch
    loop_.run();
    settle(agent_->stop());
    installer_.stop();
    scanner_.stop();
    return outcome_;
}

// An action may raise an event at once (a socket that is gone): it is decided after the actions before it are done.
void Daemon::raise(Event event) {
    events_.push_back(std::move(event));
    if (deciding_) return;
    deciding_ = true;
    while (!events_.empty()) {
        auto next = std::move(events_.front());
        events_.pop_front();
        for (auto& action : agent_->on(next, clock_.moment())) {
            std::visit([this](auto& concrete) { perform(concrete); }, action);
        }
    }
    deciding_ = false;
    arm();
}

void Daemon::settle(Actions actions) {
    deciding_ = true;
    for (auto& action : actions) std::visit([this](auto& concrete) { perform(concrete); }, action);
    deciding_ = false;
    raise(Tick{});
}

// One timer, at the agent's next wish.
void Daemon::arm() {
    if (timer_) loop_.cancel(*timer_);
    timer_.reset();
    auto const wake = agent_->wake();
    if (!wake || *wake == TimePoint::max()) return;
    timer_ = loop_.at(std::max(*wake, loop_.now() + least_wait), [this] {
        timer_.reset();
        raise(Tick{});
    });
}

void Daemon::note_link(bool connected, std::string detail) {
    if (link_ && link_->connected == connected && link_->detail == detail) return;
    if (link_ && (connected || link_->connected)) {
        log_.info("announcements: {}", connected ? "connected" : fmt::format("not connected: {}", detail));
    } else if (link_) {
        log_.warn("announcements: {}", detail);
    }
    if (connected) StartCount(settings_.layout).clear();
    link_ = LinkState{connected, clock_.wall(), std::move(detail), link_ ? link_->flow : std::string()};
    save_link_state(settings_.layout, *link_);
}

void Daemon::show_flow(std::string text) {
    if (link_->flow == text) return;
    link_->flow = std::move(text);
    save_link_state(settings_.layout, *link_);
}

// ---- actions ----

void Daemon::perform(OpenExchange const&) { exchange_.open(); }

// An idle node gives back what a transfer needed: malloc(3) would keep it.
void Daemon::perform(CloseExchange const&) {
    exchange_.close();
    show_flow({});
    malloc_trim(0);
}

void Daemon::perform(Send const& action) { exchange_.send(action.message); }

void Daemon::perform(Persist& action) {
    writer_.submit(std::move(action.batch), [this, ticket = action.ticket](Status const& status) {
        if (status) return raise(BatchDone{ticket, status});
        if (!outcome_) return;  // the first failure is the cause
        outcome_ = fail(status.error().fault, "the journal cannot be written, so this node stops: {}",
                        status.error().message);
        loop_.stop();
    });
}

void Daemon::perform(StoreFrame const& action) { incoming_.store(action, std::move(payload_)); }

void Daemon::perform(DropObjects& action) { incoming_.drop(std::move(action.objects)); }

void Daemon::perform(MakePlan const& action) { installer_.plan(action); }

void Daemon::perform(StageRelease const& action) { installer_.stage(action); }

void Daemon::perform(ProbeUse const& action) { guard_.probe(action); }

void Daemon::perform(WatchUse const& action) { guard_.watch(action); }

void Daemon::perform(LetGo const& action) { guard_.let_go(action.software); }

void Daemon::perform(TellHolders const& action) {
    for (auto const& holder : action.holders) {
        if (holder.told) continue;
        log_.info("{} {} waits for pid {} ({}, {}), which uses {}", action.ready.software.text(),
                  action.ready.version.text(), holder.pid, holder.user, holder.command, action.active.version.text());
    }
    notices_.tell_holders(action);
}

void Daemon::perform(EndUse const& action) { control_.end(action); }

void Daemon::perform(StartUse const& action) { control_.start(action); }

void Daemon::perform(CheckHealth const& action) { health_.check(action); }

void Daemon::perform(RunHook const& action) { hooks_.run(action); }

void Daemon::perform(SwitchCurrent const& action) {
    installer_.switch_to(action, [this, software = action.release.software] { guard_.let_go(software); });
}

void Daemon::perform(RemoveVersions const& action) {
    installer_.remove(action, log_);
    malloc_trim(0);
}

// What was fetched and dropped is gone by then.
void Daemon::perform(MakeRoom const& action) {
    incoming_.after_all([this, action] { installer_.make_room(action); });
}

void Daemon::perform(PointBack const& action) { installer_.point_back(action, log_); }

void Daemon::perform(ScanTrees const& action) { scanner_.scan(action); }

// The job's own event says how it ended.
void Daemon::perform(CancelJob const& action) {
    auto const& software = action.software;
    switch (action.job) {
        case Job::plan:
        case Job::staging: return installer_.cancel(software, action.job);
        case Job::scan: return scanner_.cancel(software);
        case Job::ending_use: return control_.cancel_end(software);
        case Job::starting_use: return control_.cancel_start(software);
        case Job::hook: return hooks_.cancel(software);
        case Job::health_check: return health_.cancel(software);
    }
}

// The loop is stopped from within: at the start it does not run yet.
void Daemon::perform(HandOver const& action) {
    auto const& release = action.release;
    auto const name = fmt::format("lull-node of {} {}", release.software.text(), release.version.text());
    auto const program = settings_.layout.tree(release) / settings_.own_program->program;
    if (access(program.c_str(), X_OK) != 0) {
        return log_.error("cannot hand over to {}: {}; this one goes on", name,
                          fail_errno("execute", program).value().message);
    }
    log_.info("hands over to {}", name);
    successor_ = release;
    loop_.post([this] { loop_.stop(); });
}

void Daemon::perform(Say const& action) {
    switch (action.level) {
        case LogLevel::debug: return log_.debug("{}", action.text);
        case LogLevel::info: return log_.info("{}", action.text);
        case LogLevel::warn: return log_.warn("{}", action.text);
        case LogLevel::error: return log_.error("{}", action.text);
    }
}

}  // namespace lull::subscriber
