#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "broker/catalogue.hpp"
#include "broker/ledger.hpp"
#include "broker/offers.hpp"
#include "broker/order_book.hpp"
#include "broker/patches.hpp"
#include "broker/peers.hpp"
#include "broker/rollout_steps.hpp"
#include "broker/sender.hpp"
#include "broker/sightings.hpp"
#include "core/clock.hpp"

namespace lull::broker {

struct BrokerSettings {
    Duration beacon = std::chrono::seconds(15);         // how often HEAD is announced
    Duration silence = std::chrono::seconds(180);       // sessions that say nothing this long are dropped
    std::size_t keep = 10;                              // releases of each software that stay in the log, besides those in the field
    std::uint64_t catch_up_rate = 500;                  // nodes a second that may ask for the log after a beacon; sets `spread`
    Bytes patch_space = GiB(4);                         // of stored patches and their deltas; 0: none are made
    Duration scrub = std::chrono::hours(30 * 24);       // how often each object is read and checked; 0: never
    Duration patch_wait = std::chrono::seconds(30);     // for a smaller patch when a quick one is there, at normal urgency
    Duration away = std::chrono::minutes(45);           // a node that says nothing so long is off: nobody waits for it
    Duration rollout_patience = std::chrono::hours(1);  // for the nodes of a stage that come to no end
    SenderLimits sender{};
    GovernorSettings governor{};
    OfferLimits offers{};
};

// What the broker knows for good: as it stands in its tables.
struct BrokerState {
    explicit BrokerState(LogIdentity const& log) : catalogue(log) {}
    Peers peers;
    Catalogue catalogue;
    Ledger ledger;
    OrderBook orders;
    Patches patches;
    Sightings sightings;
};

// The heart of the broker, free of I/O: it is told events and says what to do. State on disk always lags behind nothing that was
// acknowledged: what depends on a batch happens only after BatchDone.
class Broker {
public:
    Broker(BrokerState state, ObjectIndex const& index, BrokerSettings settings);

    [[nodiscard]] Actions on(Event event, Moment now);

    // When it wants a TurnDue, if nothing happens before.
    [[nodiscard]] std::optional<TimePoint> wake() const { return wake_; }

    // What a new subscriber must be told before anything else.
    [[nodiscard]] Head head(WallTime now) const;
    [[nodiscard]] BrokerState const& state() const { return state_; }

    // For ADMIN and for tests: the row of the table software x node as an operator sees it.
    [[nodiscard]] StatusRow status_row(Release const& newest, PeerKey const& node, TimePoint now) const;
    [[nodiscard]] bool connected(PeerKey const& node) const { return node_sessions_.contains(node); }

private:
    struct Session {
        PeerKey peer;
        TimePoint heard;
        TimePoint pinged;
        Seq heard_of{};                         // nodes: the cursor of this log that they came with
        std::optional<TimePoint> reannounce{};  // when to look at what they lack
        struct Told {
            Reason reason = Reason::none;
            TimePoint when;
        };
        std::optional<Told> granted{};          // what GRANT said last
    };
    // Asked for a patch that is being made.
    struct WaitingPlan {
        PlanQuery query;
        PatchId patch;
        TimePoint asked{};
    };
    using Continuation = std::function<void(Status const&, Moment)>;
    // A change of what is ordered about a software, to all nodes or to one.
    struct OrderChange {
        std::optional<NodeName> node;
        OrderScope scope;
        std::function<void(OrderSet&)> apply;
        Continuation done;
    };

    struct PlaceOfNode {
        std::uint64_t place = 0;
        PeerKey node;
    };
    struct PlacesInRollout {
        Seq seq;                   // of the release
        std::size_t enrolled = 0;  // when they were worked out
        std::vector<PlaceOfNode> nodes;
    };

    void on_event(MessageArrived event, Moment now);
    void on_event(UpdateArrived event, Moment now);
    void on_event(NonsenseArrived event, Moment now);
    void on_event(SessionGone event, Moment now);
    void on_event(BatchDone event, Moment now);
    void on_event(ObjectKept event, Moment now);
    void on_event(ManifestOpened event, Moment now);
    void on_event(NeededListed event, Moment now);
    void on_event(OthersRemoved event, Moment now);
    void on_event(PatchMade event, Moment now);
    void on_event(Scrubbed event, Moment now);
    void on_event(WayKnown event, Moment now);
    void on_event(FrameLeft event, Moment now);
    void on_event(LineReading event, Moment now);
    void on_event(ForeignMeasured event, Moment now);
    void on_event(TurnDue event, Moment now);
    void on_event(Tick event, Moment now);

    // One for each message that a peer may send; the others never get past the table of roles.
    void on_message(SessionId id, Session& session, Offer message, Moment now);
    void on_message(SessionId id, Session& session, Hello message, Moment now);
    void on_message(SessionId id, Session& session, Sync const& message, Moment now);
    void on_message(SessionId id, Session& session, Witness const& message, Moment now);
    void on_message(SessionId id, Session& session, Fetch const& message, Moment now);
    void on_message(SessionId id, Session& session, PlanQuery const& message, Moment now);
    void on_message(SessionId id, Session& session, Ack const& message, Moment now);
    void on_message(SessionId id, Session& session, Credit const& message, Moment now);
    void on_message(SessionId id, Session& session, Report const& message, Moment now);
    void on_message(SessionId id, Session& session, Ping const& message, Moment now);
    void on_message(SessionId id, Session& session, Admin const& message, Moment now);
    void on_message(SessionId id, Session& session, Follow const& message, Moment now);

    [[nodiscard]] Session* admit(MessageArrived const& event, Moment now);
    void enter_log(UpdateArrived event, UpdateInfo info, Moment now);
    void take_waiting_updates(Moment now);
    void tell_publishers(PeerKey const& peer, Release const& release, bool before);
    void enrol(SessionId id, Admin const& message, Moment now);
    [[nodiscard]] Answer answer(Admin const& message, Moment now) const;
    void answer_status(Admin const& message, TimePoint now, Answer& answer) const;
    void answer_list(Admin const& message, Answer& answer) const;
    void answer_nodes(Admin const& message, Answer& answer) const;
    void answer_orders(Admin const& message, WallTime now, Answer& answer) const;

    void send(SessionId session, Message message) { out_.push_back(Send{session, std::move(message)}); }
    void refuse(SessionId session, Refusal reason, std::string text) { send(session, Refused{reason, std::move(text)}); }
    void complain(PeerKey const& peer, std::string_view text);
    void say(LogLevel level, std::string text) { out_.push_back(Say{level, std::move(text)}); }
    void append(Actions actions);
    void persist(store::Batch batch, Continuation then);
    void send_what_may_go(Moment now);
    void learn_of_way(MessageArrived const& event, Moment now);
    void tell_queue();
    void tell_grants(Moment now);
    void log_governor(Moment now);
    void reannounce(SessionId session, PeerKey const& node, Seq cursor);
    void look_after_sessions(Moment now);
    void save_sightings();
    void forget_superseded();
    void collect_garbage(Moment now);
    [[nodiscard]] bool is_taking_objects() const;
    void scrub_when_idle(Moment now);
    void remember_lost(ObjectSet const& needed);
    [[nodiscard]] bool has_all_objects(Release const& release) const;

    [[nodiscard]] std::optional<PatchId> patch_between(PlanQuery const& plan) const;
    [[nodiscard]] MadePatch const* patch_for(PlanQuery const& plan, PatchId const& id, Duration waited) const;
    [[nodiscard]] static Steps steps(PlanQuery const& plan, MadePatch const* patch);
    [[nodiscard]] bool wait_for_patch(SessionId id, WaitingPlan const& plan);
    [[nodiscard]] std::optional<Duration> order_patch(PatchId const& id, Bytes size, Moment now);
    void order_patches(Release const& release, Moment now);
    void make_next_patches();
    [[nodiscard]] static bool has_manifest(Release const& release, Digest const& manifest);
    [[nodiscard]] std::optional<Bytes> to_fetch_from(Release const& release, bool newest) const;
    [[nodiscard]] bool is_useful(PatchId const& id) const;
    void end_patch(PatchId const& id, Effort effort, bool failed, Moment now);
    void serve_waiting_plans(Moment now);
    [[nodiscard]] ObjectSet prune_patches();

    void change_orders(OrderChange change, Moment now);
    void make_next_order_change(Moment now);
    void drop_ended_holds(Moment now);
    void announce_orders(OrderChange const& change, std::uint64_t base, Moment now);
    void send_missed_orders(SessionId id, PeerKey const& node, std::uint64_t known, std::uint64_t known_own);
    [[nodiscard]] Result<Order> order_of(Admin const& message, PeerKey const& peer, WallTime now) const;
    [[nodiscard]] Status may_order(Admin const& message, Order const& order) const;
    void give_order(SessionId id, Session const& session, Admin const& message, Moment now);
    void take_order_back(SessionId id, Session const& session, Admin const& message, Moment now);
    [[nodiscard]] Continuation answer_order(SessionId id, AdminVerb verb, std::optional<NodeName> const& node, Order const& order);
    [[nodiscard]] OrderRow order_row(std::optional<NodeName> const& node, Order const& order) const;
    [[nodiscard]] std::vector<OrderRow> standing_orders(Admin const& message, WallTime now) const;

    [[nodiscard]] bool is_away(PeerKey const& node, WallTime now) const;
    [[nodiscard]] NodeState state_on(Release const& release, PeerKey const& node) const;
    [[nodiscard]] Standing standing_of(Release const& release, PeerKey const& node, std::optional<RolloutTurn> const& turn, WallTime now) const;
    [[nodiscard]] std::vector<PlaceOfNode> const& places_in(Release const& release);
    [[nodiscard]] std::vector<NodeInRollout> nodes_in_rollout(Release const& release, std::optional<RolloutTurn> const& turn, WallTime now);
    void advance_rollouts(Moment now);
    void advance_rollout(Release const& release, Moment now);
    [[nodiscard]] std::uint64_t failed_in_rollout(SoftwareName const& software, Moment now);
    [[nodiscard]] std::optional<Order> stop_of(Release const& release) const;
    [[nodiscard]] ReleaseProgress progress(Release const& release, WallTime now);
    [[nodiscard]] std::optional<std::string> note_on(Release const& release) const;
    void tell_followers(Moment now);

    void renew_log(Epoch epoch, std::string why, WallTime now);
    void close(SessionId session, Moment now);

    BrokerState state_;
    ObjectIndex const& index_;
    BrokerSettings settings_;
    Offers offers_;
    Governor governor_;
    Sender sender_;
    std::optional<TimePoint> wake_;
    PatchQueue patches_to_make_;
    std::map<SessionId, std::vector<WaitingPlan>> waiting_plans_;
    std::map<SessionId, Session> sessions_;
    std::map<PeerKey, SessionId> node_sessions_;
    std::set<std::pair<std::string, PeerKey>> enrolling_;  // nodes on their way to the disk
    std::map<Ticket, Continuation> continuations_;
    std::deque<UpdateArrived> waiting_updates_;  // while another one enters the log
    std::deque<OrderChange> order_changes_;      // while another one is on its way to the disk
    bool ordering_ = false;
    std::map<SoftwareName, PlacesInRollout> places_;
    std::set<SoftwareName> advancing_;           // rollouts whose next step is on its way to the disk
    std::map<SessionId, ReleaseProgress> followers_;    // and what they were told last
    std::uint64_t reports_ = 0;                  // that have come
    std::uint64_t looked_at_reports_ = 0;        // when the rollouts were looked at last
    TimePoint next_rollout_look_{};
    Ticket next_ticket_ = 1;
    TimePoint next_beacon_{};
    TimePoint next_queue_news_{};
    TimePoint next_grants_{};
    TimePoint next_upkeep_{};
    std::optional<TimePoint> next_garbage_;
    std::optional<TimePoint> last_garbage_;
    bool collecting_ = false;        // garbage
    bool scrubbing_ = false;
    std::optional<TimePoint> next_scrub_;
    Scrubbed scrubbed_;              // since it was said last
    std::set<Digest> lost_;          // objects that releases in the log need and that are not here any more
    Seq listed_at_;                  // the head of the log when it was asked what its releases need
    bool identity_changes_ = false;  // a batch that changes the log's identity is on its way
    Actions out_;
};

}  // namespace lull::broker
