#include "tests/sim/sim_broker.hpp"

#include <algorithm>

namespace lull::sim {

using namespace std::chrono_literals;

namespace {

constexpr Epoch epoch{77};

// Small, so that windows, queues and the cap are reached.
broker::BrokerSettings settings(std::uint64_t life) {
    broker::BrokerSettings small;
    small.sender = {.frame = KiB(4), .window = KiB(32), .first_window = KiB(4), .cap = KiB(128), .transfers = 6};
    small.keep = 2;
    // Ids are forgotten soon, so that old ones come again.
    small.calls.keep = 1min;
    small.calls.shown = 10;
    small.calls.rate = ByteRate(300'000);
    small.calls.queue = 4;
    small.calls.life = life;
    return small;
}

// Wherever a rollout says that it halts, all nodes' turn comes instead.
void open_all(std::vector<Order>& orders) {
    constexpr std::uint64_t last_stage = 99;
    for (auto& order : orders) {
        if (order.kind != OrderKind::pause || order.by != "rollout") continue;
        order.kind = OrderKind::share;
        order.upto = std::numeric_limits<std::uint64_t>::max();
        order.stage = last_stage;
    }
    std::set<OrderScope> opened;
    for (auto const& order : orders) {
        if (order.stage == last_stage) opened.insert(order.software);
    }
    std::erase_if(orders, [&](Order const& order) {
        return order.kind == OrderKind::share && order.stage != last_stage && opened.contains(order.software);
    });
}

template <class Part>
void load_table(Tables const& tables, Part& part) {
    for (auto const& [key, value] : tables.at(Part::table)) {
        auto const loaded = part.load(key, value);
        LULL_INVARIANT(loaded.has_value());
    }
}

}  // namespace

SimBroker::SimBroker(World& world, Network& network, Library& library, Checker& checker, Coverage& coverage)
    : world_(world),
      network_(network),
      library_(library),
      checker_(checker),
      coverage_(coverage) {
    network_.attach(*this);
}

void SimBroker::enrol(PeerKey const& key, broker::Peer const& peer) {
    store::Batch const batch{broker::Peers::change(key, peer)};
    checker_.broker_wrote(tables_, batch, {});
    tables_.apply(batch);
}

// As load_log_identity() reads it from a database.
broker::LogIdentity SimBroker::identity() const {
    broker::LogIdentity identity{epoch};
    for (auto const& [key, value] : tables_.at("meta")) {
        auto const number = *store::number_of(value);
        if (as_text(key) == "epoch") identity.epoch = Epoch{number};
        if (as_text(key) == "used") identity.used = Seq{number};
        if (as_text(key) == "removed") identity.removed = Seq{number};
        if (as_text(key) == "copied") identity.copied = number != 0;
    }
    return identity;
}

broker::BrokerState SimBroker::load() const {
    broker::BrokerState state(identity());
    load_table(tables_, state.peers);
    load_table(tables_, state.release_log);
    load_table(tables_, state.node_status);
    if (plant_ != Plant::forgets_orders) load_table(tables_, state.orders);
    load_table(tables_, state.patches);
    load_table(tables_, state.last_seen);
    return state;
}

Moment SimBroker::moment() const {
    auto moment = world_.moment();
    moment.wall.micros += std::chrono::microseconds(clock_shift_).count();
    return moment;
}

void SimBroker::back_up(Copy how) {
    copied_tables_ = tables_;
    copied_objects_ = objects_;
    auto copy = identity();
    copy.copied = how == Copy::marked;
    copied_tables_.apply(changes_to(copy));
}

void SimBroker::restore() {
    LULL_INVARIANT(!up());
    world_.trace("broker: is restored from a copy");
    tables_ = copied_tables_;
    objects_ = copied_objects_;
    checker_.broker_restored(tables_, identity().copied ? Checker::Numbers::once : Checker::Numbers::maybe_twice);
}

// As the daemon does when it starts.
void SimBroker::renew_copied_log() {
    auto const old = identity();
    if (!old.copied) return;
    auto const head = load().release_log.head();
    auto fresh = renewed(old, head, Epoch{1 + world_.random().below(1'000'000)}, moment().wall);
    if (plant_ == Plant::reuses_numbers) fresh.used = old.used;
    tables_.apply(changes_to(fresh));
}

void SimBroker::start() {
    ++life_;
    renew_copied_log();
    auto state = load();
    checker_.broker_has(state);
    world_.trace("broker: starts at release {}", state.release_log.head().value);
    broker_ = std::make_unique<broker::Broker>(std::move(state), *this, settings(life_));
    governed_ = world_.random().chance(0.5);
    turn_due_ = {};
    welcome_ = broker_->head(moment().wall);
    network_.hub_came_up();
    tick();
}

void SimBroker::crash() {
    if (!up()) return;
    world_.trace("broker: crashes");
    ++life_;
    broker_.reset();
    sessions_.clear();
    connections_.clear();
    events_.clear();
    network_.hub_went_down();
}

void SimBroker::later(Duration delay, std::function<void()> what) {
    world_.after(delay, [this, life = life_, what = std::move(what)] {
        if (life == life_) what();
    });
}

void SimBroker::tick() {
    raise(broker::Tick{});
    if (full_) {
        checker_.orders().broker_cannot_write();
    } else {
        checker_.orders().broker_lives(state().node_status);
    }
    later(1s, [this] { tick(); });
}

void SimBroker::raise(broker::Event event) {
    events_.push_back(std::move(event));
    if (deciding_) return;
    deciding_ = true;
    checker_.orders().broker_clock(moment().wall);
    while (!events_.empty()) {
        auto next = std::move(events_.front());
        events_.pop_front();
        auto actions = broker_->on(next, moment());
        coverage_.decision(next, actions);
        for (auto& action : actions) std::visit([this](auto& concrete) { perform(concrete); }, action);
    }
    deciding_ = false;
    if (broker_->wake() && *broker_->wake() != turn_due_) {
        turn_due_ = *broker_->wake();
        later(std::max<Duration>(turn_due_ - world_.now(), 1us), [this] {
            turn_due_ = {};
            raise(broker::TurnDue{});
        });
    }
}

// ---- sessions ----

broker::SessionId SimBroker::session_of(ConnectionId connection) {
    auto const known = sessions_.find(connection);
    if (known != sessions_.end()) return known->second;
    auto const session = ++last_session_;
    sessions_[connection] = session;
    connections_[session] = {connection, peers_[connection]};
    if (governed_) raise(broker::RouteKnown{session, {fmt::format("site {}", world_.random().below(8)), {}}});
    return session;
}

void SimBroker::arrived(ConnectionId connection, PeerKey const& peer, Message const& message, Buffer const& payload) {
    peers_[connection] = peer;
    auto heard = message;
    auto* const call = std::get_if<Call>(&heard);
    auto* const hello = std::get_if<Hello>(&heard);
    if (hello != nullptr && plant_ == Plant::trusts_revisions) hello->inventory.reset();
    if (call != nullptr && plant_ == Plant::takes_old_calls) call->life = life_;
    raise(broker::MessageArrived{session_of(connection), peer, std::move(heard), payload});
}

void SimBroker::gone(ConnectionId connection) {
    auto const known = sessions_.find(connection);
    if (up() && known != sessions_.end()) raise(broker::SessionGone{known->second});
}

void SimBroker::ingest(PeerKey const& peer, Update const& update) {
    if (up()) raise(broker::UpdateArrived{peer, update});
}

void SimBroker::perform(broker::Send const& action) {
    if (plant_ == Plant::goes_twice) go_twice(action);
    send(action.session, spoilt(action.message), action.payload);
}

// Another executor gets the same offer, and CALL-GO with it.
void SimBroker::go_twice(broker::Send const& action) {
    if (auto const* offer = std::get_if<CallOffer>(&action.message)) offers_[offer->id] = *offer;
    auto const* go = std::get_if<CallGo>(&action.message);
    if (go == nullptr) return;
    for (auto const& [session, connection] : connections_) {
        if (session == action.session) continue;
        send(session, offers_.at(go->id), {});
        send(session, *go, {});
    }
}

void SimBroker::send(broker::SessionId session, Message const& message, Buffer const& payload) {
    auto const known = connections_.find(session);
    if (known == connections_.end()) return;  // closed meanwhile
    checker_.served(known->second.second, message);
    // What a restored log does not know has no row in its ledger.
    auto const* noted = std::get_if<ReportAck>(&message);
    if (noted != nullptr && state().release_log.newest(noted->software) != nullptr)
        checker_.noted(known->second.second, *noted);
    network_.to_peer(known->second.first, message, payload);
}

void SimBroker::perform(broker::CloseSession const& action) {
    auto const known = connections_.find(action.session);
    if (known == connections_.end()) return;
    sessions_.erase(known->second.first);
    connections_.erase(known);
}

// ---- the disk ----

std::optional<store::ObjectPlace> SimBroker::find(Digest const& object) const {
    auto const found = objects_.find(object);
    if (found == objects_.end()) return std::nullopt;
    return found->second.place;
}

void SimBroker::perform(broker::SendFrame const& action) {
    later(reader_.pass(world_.now(), world_.random().between(100us, 2ms)), [this, action] {
        if (!objects_.contains(action.place.shape.object)) return raise(broker::SessionGone{action.session});
        auto const& bytes = objects_.at(action.place.shape.object).bytes;
        auto const begin = bytes.begin() + static_cast<std::ptrdiff_t>(action.offset.count());
        Buffer const frame(begin, begin + static_cast<std::ptrdiff_t>(action.length.count()));
        send(action.session, Data{action.place.shape, action.offset}, frame);
        raise(broker::FrameLeft{action.session, std::nullopt, action.length, world_.now(), {}});
    });
}

void SimBroker::perform(broker::SendProbe const& action) {
    send(action.session, Ping{action.number}, {});
    raise(broker::FrameLeft{action.session, action.number, {}, world_.now(), {}});
}

Message SimBroker::spoilt(Message message) const {
    auto* orders = std::get_if<Orders>(&message);
    if (orders != nullptr && plant_ == Plant::opens_all_stages) open_all(orders->orders);
    return message;
}

void SimBroker::perform(broker::Persist& action) {
    for (auto& change : action.batch) {
        if (plant_ != Plant::opens_all_stages || change.table != std::string_view(broker::OrderBook::table)) continue;
        if (!change.value) continue;  // the orders of a node that is removed
        auto set = *decode<OrderSet>(*change.value, limits::control_message);
        open_all(set.orders);
        change.value = encode(set);
    }
    if (plant_ == Plant::keeps_removed) {
        std::erase_if(action.batch, [](store::Change const& change) {
            return change.table == std::string_view(broker::Peers::table) && !change.value;
        });
    }
    bool const early = plant_ == Plant::acknowledges_before_durable;
    auto const ticket = action.ticket;
    if (full_) {
        later(writer_.pass(world_.now(), 5ms), [this, ticket] {
            raise(broker::BatchDone{ticket, fail(Fault::no_space, "disk full")});
        });
        return;
    }
    auto const durable = writer_.pass(world_.now(), world_.random().between(2ms, 40ms));
    later(durable, [this, batch = std::move(action.batch)] {
        checker_.broker_wrote(tables_, batch, state().node_status);
        tables_.apply(batch);
    });
    later(early ? Duration(1) : writer_.pass(world_.now(), durable + 1ms), [this, ticket] {
        raise(broker::BatchDone{ticket, {}});
    });
}

void SimBroker::perform(broker::KeepObject const& action) {
    later(object_writer_.pass(world_.now(), world_.random().between(2ms, 30ms)), [this, action] {
        Status status;
        if (sha256(action.stored) != action.shape.object) {
            status = fail(Fault::damaged, "the object is damaged");
        } else if (full_) {
            status = fail(Fault::no_space, "disk full");
        } else {
            objects_[action.shape.object] = {store::ObjectPlace{1, Bytes(), action.shape}, action.stored};
        }
        raise(broker::ObjectKept{action.session, action.shape.object, action.shape.stored, status});
    });
}

void SimBroker::perform(broker::OpenManifest const& action) {
    later(world_.random().between(1ms, 10ms), [this, action] {
        auto const* manifest = library_.manifest(action.manifest);
        LULL_INVARIANT(manifest != nullptr && objects_.contains(action.manifest));
        raise(broker::ManifestOpened{action.session, action.manifest, *manifest});
    });
}

void SimBroker::perform(broker::ListNeeded const& action) {
    later(world_.random().between(1ms, 3s), [this, manifests = action.manifests] {
        broker::ObjectSet needed;
        for (auto const& digest : manifests) {
            needed.insert(digest);
            for (auto const& segment : library_.manifest(digest)->segments) needed.insert(segment.digest);
        }
        raise(broker::NeededListed{std::move(needed)});
    });
}

void SimBroker::perform(broker::RemoveOthers const& action) {
    auto const before = objects_.size();
    std::erase_if(objects_, [&](auto const& object) { return !action.needed.contains(object.first); });
    for (auto const& release : state().release_log.log()) {
        for (auto const& build : release.info.builds) {
            for (auto const& segment : library_.manifest(build.manifest)->segments) {
                if (!objects_.contains(segment.digest))
                    checker_.violated("an object of release {} was removed", release.entry.seq.value);
            }
        }
    }
    for (auto const& [id, made] : state().patches.all()) {
        for (auto const& delta : made.deltas) {
            if (!objects_.contains(delta)) checker_.violated("a delta of patch {} was removed", made.object.hex());
        }
    }
    later(world_.random().between(1ms, 30ms), [this, gone = before - objects_.size()] {
        raise(broker::OthersRemoved{gone, Bytes()});
    });
}

// Its disk keeps what it has.
void SimBroker::perform(broker::ScrubObjects const&) {
    later(world_.random().between(1s, 30s), [this] { raise(broker::Scrubbed{}); });
}

void SimBroker::perform(broker::MakePatch const& action) {
    auto const longest = action.effort == broker::Effort::quick ? Duration(2s) : Duration(40s);
    later(world_.random().between(100ms, longest), [this, id = action.patch, effort = action.effort] {
        if (full_ || world_.random().chance(0.05)) {
            return raise(
                broker::PatchMade{id, effort, fail(full_ ? Fault::no_space : Fault::failed, "it cannot be made")});
        }
        auto const& made = library_.make_patch(id, effort);
        auto const keep = [&](Digest const& object) {
            auto const& bytes = library_.bytes(object);
            Bytes const size(bytes.size());
            objects_[object] = {store::ObjectPlace{1, Bytes(), {object, ObjectCodec::raw, size, size}}, bytes};
        };
        keep(made.object);
        for (auto const& delta : made.deltas) keep(delta);
        raise(broker::PatchMade{id, effort, made});
    });
}

}  // namespace lull::sim
