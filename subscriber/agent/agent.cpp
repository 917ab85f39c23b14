#include "subscriber/agent/agent.hpp"

#include <algorithm>

#include "subscriber/journal/journal.hpp"

// What the agent makes of its parts: the start, each turn, and what is said to the broker. Which event is for which
// part: agent_routes.cpp.

namespace lull::subscriber {

Agent::Agent(AgentSettings settings, JournalState state, std::map<SoftwareName, ReleaseId> const& installed,
             Holds holds)
    : settings_(std::move(settings)),
      rules_(settings_.node, settings_.rules, std::move(holds), {state.orders, state.own_orders}),
      session_(settings_, effects_),
      reports_(std::move(state.outbox), effects_, session_),
      objects_(settings_.fetch, std::move(state.objects), effects_, session_),
      room_(effects_),
      log_(state.cursor, effects_, session_),
      orders_(settings_.node, {state.orders, state.own_orders}, effects_, session_, rules_),
      scans_(settings_.scan, settings_.seed),
      call_ports_(effects_, objects_) {
    if (settings_.executor) executor_.emplace(*settings_.executor, call_ports_);
    load(std::move(state), installed);
    orders_.on_change([this](OrderScope const& about, Moment now) { rules_changed(about, now); });
    objects_.listen({[this](SoftwareName const& software, Moment now) { update(software).object_arrived(now); },
                     [this](SoftwareName const& software, ObjectLoss const& loss, Moment now) {
                         update(software).object_lost(loss, now);
                     }});
    room_.connect(room_ports());
    objects_.listen_for_calls({[this](SoftwareName const& software, Moment) { executor_->object_arrived(software); },
                               [this](SoftwareName const& software, ObjectLoss const& loss, Moment) {
                                   executor_->object_lost(software, loss.error);
                               }});
}

void Agent::load(JournalState state, std::map<SoftwareName, ReleaseId> const& installed) {
    for (auto& [software, record] : state.software) {
        auto info = decode_update_info(record.entry.update.payload);
        LULL_INVARIANT(info.has_value());  // it was decoded before it was recorded
        auto const scan = state.scans.find(software);
        auto const [update, added] = updates_.try_emplace(
            software, shared(), Announced{record.entry, std::move(*info)}, record,
            scan == state.scans.end() ? std::nullopt : std::optional(std::move(scan->second)));
        auto const found = installed.find(software);
        update->second.found_installed(found == installed.end()
                                           ? std::nullopt
                                           : std::optional(ReleaseRef{found->second.seq, found->second.version}));
    }
}

JournalState Agent::state() const {
    JournalState state;
    state.cursor = log_.cursor();
    for (auto const& [software, update] : updates_) {
        state.software.emplace(software, update.record());
        if (auto const& scan = update.scan_record()) state.scans.emplace(software, *scan);
    }
    state.outbox = reports_.reports();
    state.objects = objects_.objects();
    state.orders = orders_.orders().all;
    state.own_orders = orders_.orders().own;
    return state;
}

RoomMaker::Ports Agent::room_ports() {
    return {[this] {
                std::vector<Expendable> versions;
                for (auto const& [software, update] : updates_)
                    std::ranges::move(update.expendable(), std::back_inserter(versions));
                return versions;
            },
            [this](RoomNeed const& need, RoomMaker::Spared spared) { return unwanted_objects(need, spared); },
            [this](std::vector<Digest> const& objects, Effects::Continuation then) {
                objects_.drop(objects, std::move(then));
            },
            [this](ReleaseId const& version, Effects::Continuation then) {
                update(version.software).give_up_version(version, std::move(then));
            },
            [this](ReleaseId const& version, RoomMaker::Fate fate, ReleaseId const& needed_by) {
                update(version.software).version_settled(version, fate, needed_by);
            },
            [this](SoftwareName const& software, Moment now) { update(software).room_made(now); }};
}

// Releases of other software that are on their way, or calls, may want what nobody wants now.
std::vector<Digest> Agent::unwanted_objects(RoomNeed const& need, RoomMaker::Spared spared) const {
    bool const under_way = (executor_ && executor_->acquiring()) ||
                           std::ranges::any_of(updates_, [&](auto const& entry) {
                               auto const& [software, update] = entry;
                               return software != need.release.software && update.on_its_way() && !update.lacks_room();
                           });
    if (under_way || !need.objects) return {};
    auto objects = spared == RoomMaker::Spared::go ? fetcher().garbage() : objects_.unwanted();
    std::erase_if(objects, [&](Digest const& object) { return need.objects->contains(object); });
    return objects;
}

void Agent::found_call_tree(ReleaseId const& release, Bytes size) {
    if (executor_) executor_->found_tree(release, size);
}

// ---- turns ----

Actions Agent::start(Moment now) {
    for (auto& [software, update] : updates_) update.start(now);
    objects_.collect_garbage();
    end_turn(now);
    return effects_.take();
}

Actions Agent::stop() {
    stopped_ = true;
    for (auto& [software, update] : updates_) update.stop();
    return effects_.take();
}

Actions Agent::on(Event const& event, Moment now) {
    if (stopped_) return {};
    Dispatch::event(*this, event, now);
    for (auto& [software, update] : updates_) update.on_time(now);
    if (scans_.due(now)) {
        for (auto& [software, update] : updates_) update.scan(now);
    }
    hand_over();
    end_turn(now);
    return effects_.take();
}

// Switches of other software end first: a hook or a health check would be cancelled, and count as a trial.
void Agent::hand_over() {
    auto const switches = [](auto const& entry) {
        auto const phase = entry.second.phase();
        return phase == Phase::switching || phase == Phase::verifying || phase == Phase::rolling_back;
    };
    auto const ready = std::ranges::find_if(updates_, [](auto const& entry) { return entry.second.hands_over(); });
    if (ready != updates_.end() && std::ranges::none_of(updates_, switches)) ready->second.hand_over();
}

void Agent::end_turn(Moment now) {
    bool const under_way = (executor_ && executor_->acquiring()) ||
                           std::ranges::any_of(updates_, [](auto const& entry) { return entry.second.on_its_way(); });
    using Releases = ObjectTransfer::Releases;
    objects_.end_turn(under_way ? Releases::on_their_way : Releases::settled);
    if (serving_ && !session_.open()) {
        serving_ = false;
        executor_->session_ended();
    }
    if (session_.open()) speak(now);
    session_.keep_going(need(), now);
}

void Agent::speak(Moment now) {
    if (session_.answer_overdue(now)) {  // it was lost on the way
        log_.answer_lost();
        reports_.send_again();
        for (auto& [software, update] : updates_) update.acquisition().ask_again(Acquisition::Session::same);
    }
    if (session_.catching_up(now)) log_.ask(orders_.revisions(), now);
    reports_.send_due(now);
    for (auto& [software, update] : updates_) {
        auto query = update.acquisition().query(now);
        if (!query) continue;
        session_.spoke(now);
        session_.ask(std::move(*query), now);
    }
    objects_.send_due(now);
}

Link::Need Agent::need() const {
    bool const searching = std::ranges::any_of(
        updates_, [](auto const& entry) { return entry.second.acquisition().searching(); });
    bool const bytes = fetcher().waiting_for_data();
    return {fetcher().anything_missing() || searching || reports_.pending() || executor_.has_value(),
            bytes || answer() == Session::Answer::asked || (executor_ && executor_->has_calls()), bytes};
}

Session::Answer Agent::answer() const {
    bool const asked = log_.answer_owed() || reports_.pending() || std::ranges::any_of(updates_, [](auto const& entry) {
                           return entry.second.acquisition().answer_owed();
                       });
    return asked ? Session::Answer::asked : Session::Answer::none;
}

std::optional<TimePoint> Agent::wake() const {
    if (stopped_) return std::nullopt;
    TimePoint when = session_.wake(need(), answer());
    if (auto const scan = scans_.wake()) when = std::min(when, *scan);
    for (auto const& [software, update] : updates_) {
        if (auto const due = update.wake()) when = std::min(when, *due);
    }
    return when;
}

// ---- what the broker's table has of this node ----

Hello Agent::hello(WallTime now) const {
    auto const& cursor = log_.recorded();
    auto const orders = orders_.recorded();
    Hello hello{
        settings_.node, settings_.architecture, settings_.program, settings_.boot, cursor.epoch, cursor.seq, orders.all,
        orders.own};
    hello.inventory = inventory();
    hello.machine = settings_.machine;
    hello.time = now;
    return hello;
}

std::vector<InventoryItem> Agent::inventory() const {
    std::vector<InventoryItem> inventory;
    for (auto const& [software, update] : updates_) {
        if (inventory.size() == limits::inventory) break;
        auto const record = update.record();
        inventory.push_back({software, record.entry.seq, node_state(record.phase), record.revision,
                             record.active ? std::optional(record.active->seq) : std::nullopt});
    }
    return inventory;
}

// A node that was put back to an older copy of itself reports with revisions that the broker has seen before, and would
// not be believed.
void Agent::report_wanted(std::vector<ReportWanted> const& wanted) {
    constexpr std::uint64_t most = std::uint64_t{1} << 62;  // revisions begin at the microseconds since 1970, and count
    reported_before_.clear();
    for (auto const& [software, revision] : wanted) {
        if (revision > most) {
            effects_.log(LogLevel::error, fmt::format("{}: the broker's table has revision {}, which is none",
                                                      software.text(), revision));
            continue;
        }
        auto const found = updates_.find(software);
        if (found != updates_.end()) {
            found->second.report_again(revision);
        } else {
            reported_before_.emplace(software, revision);
        }
    }
}

// ---- what the log brings ----

KnownReleases Agent::known() const {
    KnownReleases known;
    for (auto const& [software, update] : updates_) {
        known.emplace(software, KnownRelease{update.target().entry, update.target().release.version,
                                             reports_.reports().contains(software)});
    }
    return known;
}

void Agent::take(Announced announced, Moment now) {
    auto const software = announced.info.software;
    auto const found = updates_.find(software);
    if (found != updates_.end()) return found->second.target(std::move(announced), now);
    auto& fresh = updates_.try_emplace(software, shared(), std::move(announced), now).first->second;
    if (auto const before = reported_before_.find(software); before != reported_before_.end())
        fresh.exceed(before->second);
}

// Releases and cursor in one batch, before anything else is done with the releases.
void Agent::record(LogFollower::Outcome outcome, Moment now) {
    if (!outcome) return;
    store::Batch batch;
    std::map<SoftwareName, std::uint64_t> revisions;
    std::map<SoftwareName, Seq> fresh;
    for (auto& [software, announced] : outcome->fresh) {
        fresh.emplace(software, announced.entry.seq);
        take(std::move(announced), now);
        revisions[software] = update(software).report(batch);
    }
    for (auto const& software : outcome->again) revisions[software] = update(software).report(batch);
    auto const cursor = log_.cursor();
    if (cursor != log_.recorded()) batch.push_back(journal::put(cursor));
    if (batch.empty()) return;
    effects_.persist(std::move(batch), [this, cursor, revisions, fresh](Moment then) {
        log_.record(cursor);
        recorded(revisions, fresh, then);
    });
}

void Agent::recorded(std::map<SoftwareName, std::uint64_t> const& revisions, std::map<SoftwareName, Seq> const& fresh,
                     Moment now) {
    for (auto const& [software, revision] : revisions) reports_.durable(software, revision);
    for (auto const& [software, seq] : fresh) update(software).recorded(seq, now);
}

void Agent::rules_changed(OrderScope const& about, Moment now) {
    for (auto& [software, update] : updates_) {
        if (!about || *about == software) update.rules_changed(now);
    }
}

}  // namespace lull::subscriber
