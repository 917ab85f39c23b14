#pragma once

#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "core/clock.hpp"
#include "subscriber/actions.hpp"
#include "subscriber/activation_rules.hpp"
#include "subscriber/fetcher.hpp"
#include "subscriber/link.hpp"
#include "subscriber/records.hpp"

namespace lull::subscriber {

struct AgentSettings {
    NodeName node;
    ArchitectureName architecture;
    std::string program;                      // "lull-node 0.1.0"
    std::string boot;                         // boot id of the machine
    TrustedKeys trusted;
    std::uint64_t seed = 1;                   // for jitter
    FetchLimits fetch;
    LinkTimes link;
    Duration first_retry = std::chrono::seconds(30);     // after a failure; doubles with each further one
    Duration longest_retry = std::chrono::hours(1);
    Duration longest_without_room = std::chrono::minutes(5);  // the same where the disk is full: somebody makes room
    Duration scan = std::chrono::minutes(10);            // between looks at what is installed (jittered)
    Duration read_all = std::chrono::hours(24);          // between looks that read every byte
    NodeRules rules{};
    Duration remind = std::chrono::hours(24);            // after which whoever keeps a release waiting is told again
    Duration end_again = std::chrono::minutes(5);        // between tries to end users who stay
    Duration between_holders = std::chrono::seconds(1);  // before others who keep a release waiting are named
    std::uint64_t most_trials = 3;                       // of a release whose health check the daemon does not survive
};

// The heart of a node, free of I/O: it is told events and says what to do. Whatever it has acknowledged or announced to others
// is durable first: what depends on a batch happens only after BatchDone.
class Agent {
public:
    // `installed`: what `current` points to, on disk, now. It outranks what the journal remembers.
    Agent(AgentSettings settings, JournalState state, std::map<SoftwareName, ReleaseId> installed, Holds holds = {});

    // What to do first, also after a crash: every release goes on from the phase that the journal has.
    [[nodiscard]] Actions start(Moment now);
    [[nodiscard]] Actions on(Event event, Moment now);

    // When the agent wants a Tick.
    [[nodiscard]] std::optional<TimePoint> wake() const;

    [[nodiscard]] JournalState const& state() const { return state_; }
    [[nodiscard]] Fetcher const& fetcher() const { return fetcher_; }
    [[nodiscard]] Link const& link() const { return link_; }

private:
    // What is known of the patch that leads from the active release to the newest.
    struct PatchSearch {
        enum class State { unasked, asked, promised, found, none };
        State state = State::unasked;
        Segment object;                      // found: the patch
        std::optional<TimePoint> until{};    // asked, promised: when to wait no longer
        std::set<Digest> useless{};          // what the broker does not have, or has damaged
    };
    // What is going on with a software at this moment; lost in a crash, and found again by pursue().
    struct Work {
        UpdateInfo info;                     // of the newest release
        bool recorded = true;                // the announcement is durable
        bool busy = false;                   // a plan, tree, probe, end of users, switch or health check is being made
        Seq busy_with;
        PatchSearch patch;
        std::optional<std::vector<Segment>> plan;  // objects to fetch
        bool wanted = false;                 // they are with the fetcher
        unsigned restaged = 0;               // how often staging has found that something must be fetched again
        TimePoint wanted_since{};
        Bytes had{};                         // of the plan's objects, when they were wanted
        std::optional<TimePoint> retry;
        Fault fault = Fault::failed;         // of the last failure
        bool scanning = false;
        bool mending = false;                // bytes are fetched for the active tree
        bool kept_is_useless = false;        // the older release that this one goes back to cannot give its contents
        bool asked_to_end = false;           // users were ended for the look that comes next
        std::string ended;                   // what became of them
        std::size_t hooks_run = 0;           // of this side of the switch
        std::optional<TimePoint> look_again{};  // whether the release may become live
        std::optional<TimePoint> end_again{};   // not before that
        std::optional<TimePoint> waiting_since{};  // up to here `waited` of the record is counted
        std::optional<TimePoint> told_at{};     // when it was said last who is waited for
    };
    // The cursor moves only with the last page, to where the log was when the first page was made.
    struct TakingSnapshot {
        Epoch epoch;
        Seq head;
        std::optional<SoftwareName> rest;
    };
    using Continuation = std::function<void(Moment)>;

    void on_event(AnnouncementHeard event, Moment now);
    void on_event(ExchangeReady event, Moment now);
    void on_event(ExchangeLost event, Moment now);
    void on_event(MessageHeard event, Moment now);
    void on_event(BatchDone event, Moment now);
    void on_event(ObjectSynced event, Moment now);
    void on_event(ObjectFinished event, Moment now);
    void on_event(ObjectUnwritten event, Moment now);
    void on_event(PlanMade event, Moment now);
    void on_event(StageEnded event, Moment now);
    void on_event(UseFound event, Moment now);
    void on_event(UseMayHaveEnded event, Moment now);
    void on_event(HoldersTold event, Moment now);
    void on_event(UseEnded event, Moment now);
    void on_event(UseStarted event, Moment now);
    void on_event(HealthFound event, Moment now);
    void on_event(HookEnded event, Moment now);
    void on_event(HoldsRead event, Moment now);
    void on_event(SwitchEnded event, Moment now);
    void on_event(TreesScanned event, Moment now);
    void on_event(Tick event, Moment now);

    void on_message(Update const& message, Moment now);
    void on_message(Head const& message, Moment now);
    void on_message(Welcome const& message, Moment now);
    void on_message(LogPage const& message, Moment now);
    void on_message(Snapshot const& message, Moment now);
    void on_message(Data const& message, MessageHeard const& event, Moment now);
    void on_message(Queued const& message, Moment now);
    void on_message(Absent const& message, Moment now);
    void on_message(Steps const& message, Moment now);
    void on_message(Noted const& message, Moment now);
    void on_message(Busy const& message, Moment now);
    void on_message(Refused const& message, Moment now);
    void on_message(Grant const& message, Moment now);
    void on_message(Orders const& message, Moment now);

    // Recording: what is announced becomes durable, cursor and records in one batch.
    struct Taken {
        std::map<SoftwareName, Seq> fresh;  // newer releases than were known
        std::set<SoftwareName> again;       // to be reported once more
    };
    void hear_of(Epoch epoch, Seq head, Duration spread, Moment now);
    void announced(Update const& message, Moment now);
    void announced(Orders const& message, Moment now);
    [[nodiscard]] bool follows(Epoch epoch) const;
    void record(Epoch epoch, std::vector<LogEntry> const& entries, Moment now);
    void record_entry(LogEntry const& entry, Taken& taken, Moment now);
    void commit(Taken taken);
    void take_snapshot_page(Snapshot const& message, Taken& taken, Moment now);
    void stay_ahead(Snapshot const& message, Taken& taken);
    void testify(Seq head);
    [[nodiscard]] bool caught_up() const { return state_.cursor.epoch == heard_epoch_ && state_.cursor.seq >= head_; }

    [[nodiscard]] bool awaits_patch(SoftwareName const& software);
    [[nodiscard]] bool patch_in_use(SoftwareName const& software) const;
    void ask_plans(Moment now);
    enum class Session { fresh, same };
    void ask_plans_again(Session session);
    [[nodiscard]] bool plan_owed() const;
    void end_search(SoftwareName const& software);
    void end_waiting(Moment now);
    void go_without(SoftwareName const& software, Digest const& object, Error const& why, Moment now);
    [[nodiscard]] Materials materials(SoftwareName const& software) const;
    void say_plan(SoftwareName const& software, Plan const& plan);

    // What operators order.
    void pursue_ordered(Orders const& message, Moment now);

    // A release, one step at a time.
    void pursue(SoftwareName const& software, Moment now);
    void pursue_plan(SoftwareName const& software, Moment now);
    void pursue_objects(SoftwareName const& software, Moment now);
    void want_plan(SoftwareName const& software, Moment now);
    void fetch_again(SoftwareName const& software, std::vector<Segment> const& segments, Moment now);
    void say_fetched(SoftwareName const& software, Moment now);
    bool move(SoftwareName const& software, Happening what, std::string why, Moment now);
    void retry_failed(Moment now);
    void give_up(SoftwareName const& software, Error const& error, Moment now);
    void clean_up(SoftwareName const& software);
    void collect_garbage();
    void drop(std::vector<Digest> const& objects, Continuation then);
    void record_beginning(ObjectShape const& shape);
    void not_to_be_had(Digest const& object, Error const& error, Moment now);
    void give_up_wanting(Digest const& object, Error const& error, Moment now);
    [[nodiscard]] bool is_target(ReleaseId const& release) const;
    [[nodiscard]] ReleaseId target_of(SoftwareName const& software) const;
    [[nodiscard]] std::optional<ReleaseId> active_of(SoftwareName const& software) const;

    // From a staged tree to a release that works, or back.
    void pursue_activation(SoftwareName const& software, Moment now);
    void hold_back(SoftwareName const& software, Gate const& gate, Moment now);
    void probe(SoftwareName const& software, Moment now);
    void take_turn(SoftwareName const& software, std::string why, Moment now);
    [[nodiscard]] bool should_end(SoftwareName const& software, UseFound const& found, Moment now) const;
    void end_use(SoftwareName const& software, std::vector<Holder> holders, Moment now);
    void wait_for_holders(UseFound event, Moment now);
    void pursue_switch(SoftwareName const& software, Moment now);
    void start_switch(ReleaseId const& release);
    void switch_ended_well(SoftwareName const& software, Moment now);
    void pursue_trial(SoftwareName const& software, Moment now);
    [[nodiscard]] std::vector<Hook> hooks_of(SoftwareName const& software, HookTime time) const;
    void run_hook(SoftwareName const& software, Hook const& hook, Moment now);
    void hook_failed(SoftwareName const& software, Status const& status, Moment now);
    void end_trial(SoftwareName const& software, Status const& healthy, Moment now);
    void pursue_way_back(SoftwareName const& software, Moment now);
    void switch_back(SoftwareName const& software, Moment now);
    void way_back_ended(SwitchEnded const& event, Moment now);
    void start_use(SoftwareName const& software);
    void look_again(Moment now);
    [[nodiscard]] std::optional<Gate> closed_gate(SoftwareName const& software, Moment now) const;
    void count_waiting(SoftwareName const& software, Moment now);
    void count_waits(Moment now);
    [[nodiscard]] std::optional<TimePoint> next_count(SoftwareName const& software) const;
    [[nodiscard]] Policy policy_of(SoftwareName const& software) const;
    [[nodiscard]] std::optional<ReleaseId> kept_contents_of(SoftwareName const& software) const;
    [[nodiscard]] std::optional<ReleaseId> way_back_of(SoftwareName const& software) const;

    // Looking after what is installed.
    void scan_due(Moment now);
    void scan(SoftwareName const& software, Moment now);
    void take_findings(SoftwareName const& software, TreeFindings const& findings, ScanRecord& record, Moment now);
    void mend_active(SoftwareName const& software, TreeFindings const& findings, Moment now);
    void tree_is_lost(SoftwareName const& software, TreeFindings const& findings, Moment now);
    void end_mending(SoftwareName const& software);
    [[nodiscard]] Duration scan_jitter();

    // Saying things.
    std::uint64_t report(SoftwareName const& software, store::Batch& batch);
    void mark_saved(SoftwareName const& software, std::uint64_t revision);
    void save(SoftwareName const& software, Continuation then);
    void keep_exchange_going(Moment now);
    void say_reports(Moment now);
    [[nodiscard]] Link::Need need() const;
    void persist(store::Batch batch, Continuation then);
    void send(Message message) { out_.push_back(Send{std::move(message)}); }
    void say(LogLevel level, std::string text) { out_.push_back(Say{level, std::move(text)}); }

    AgentSettings settings_;
    JournalState state_;
    ActivationRules rules_;
    std::map<SoftwareName, Work> work_;
    Fetcher fetcher_;
    Link link_;
    Cursor recorded_;                 // the durable part of state_.cursor
    std::uint64_t recorded_orders_ = 0;      // revisions of the orders that are durable
    std::uint64_t recorded_own_orders_ = 0;
    Duration spread_{};               // from the last HEAD
    Epoch heard_epoch_;               // of the log that was heard of last
    Seq head_;                        // the highest of it that was heard of
    std::optional<Seq> low_head_;     // the last one that was announced and lies before the cursor
    std::optional<TakingSnapshot> snapshot_;  // of this session, while it is being taken
    bool testified_ = false;          // WITNESS was sent in this session
    TimePoint asked_at_{};            // when SYNC or a REPORT was sent last
    bool sync_owed_ = false;          // SYNC was sent in this session and LOG has not come
    std::map<Ticket, Continuation> continuations_;
    std::map<SoftwareName, std::uint64_t> saved_;  // revision of the report that is durable
    std::mt19937_64 random_;
    std::optional<TimePoint> next_scan_;
    std::set<SoftwareName> unsaid_;                // reports to send in this session
    std::set<SoftwareName> unasked_plans_;         // PLANs to send in this session
    Ticket next_ticket_ = 1;
    Actions out_;
};

}  // namespace lull::subscriber
