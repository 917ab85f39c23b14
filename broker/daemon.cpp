#include "broker/daemon.hpp"

#include "broker/objects/stored_manifest.hpp"
#include "schema/wire.hpp"

namespace lull::broker {

namespace {

constexpr std::size_t most_connections = 200'000;
constexpr int messages_a_turn = 64;  // of one socket, so that the others get their turn
constexpr unsigned hashing_threads = 2;
constexpr unsigned check_readers_every = 60;  // ticks
constexpr Duration between_ticks = std::chrono::seconds(1);
constexpr Duration time_to_leave = std::chrono::milliseconds(200);  // for a refusal, before its connection is closed
constexpr Duration between_readings = std::chrono::milliseconds(20);

std::string_view text_of(Frame const& frame) { return {frame.data<char>(), frame.size()}; }

// A backup that is run goes on as another log, because the one that it was copied from went on as well.
Status renew_copied_log(store::Environment& database, ReleaseLog& release_log, Log& log) {
    if (!release_log.identity().copied) return {};
    Epoch const epoch{std::max<std::uint64_t>(1, random_u64())};
    auto const fresh = renewed(release_log.identity(), release_log.head(), epoch, SystemClock().wall());
    if (auto status = database.apply(changes_to(fresh)); !status) return status;
    release_log.adopt(fresh);
    log.warn(
        "this is a restored backup: its log ends at release {} and goes on as epoch {:x} behind {}; nodes that have "
        "later releases "
        "keep them, and 'lull status' says so",
        release_log.head().value, fresh.epoch.value, fresh.used.value);
    return {};
}

}  // namespace

Result<std::unique_ptr<Daemon>> Daemon::open(DaemonSettings const& settings, EventLoop& loop, Log& log) {
    auto const& directory = settings.directory;
    auto const keys = directory.load_keys();
    if (!keys) return pass(keys.error());
    std::error_code ignored;
    if (!fs::exists(directory.database() / "data.mdb", ignored)) {
        return fail(Fault::damaged,
                    "the database {} is missing: restore the data directory from a backup, or move {} away and begin "
                    "anew with: lull-broker init",
                    directory.database().string(), directory.root().string());
    }
    auto database = directory.open_database();
    if (!database) return pass(database.error());
    if (auto status = directory.remove_temporary_files(); !status) return pass(status.error());
    auto state = load_state(*database, directory);
    if (!state) return pass(state.error());
    auto packs = store::Packs::open({.directory = directory.packs()}, *database);
    if (!packs) return pass(packs.error());
    if (auto status = renew_copied_log(*database, state->release_log, log); !status) return pass(status.error());

    auto scrubs = load_scrubs(*database);
    if (!scrubs) return pass(scrubs.error());

    Opened opened{*keys, std::move(*database), std::move(*packs), std::move(*state), std::move(*scrubs)};
    std::unique_ptr<Daemon> daemon(new Daemon(std::move(opened), settings, loop, log));
    if (auto status = daemon->open_ports(settings.listen); !status) return pass(status.error());
    return daemon;
}

Daemon::Daemon(Opened opened, DaemonSettings const& settings, EventLoop& loop, Log& log)
    : loop_(loop),
      log_(log),
      keys_(opened.keys),
      listen_(settings.listen),
      database_(std::move(opened.database)),
      packs_(std::move(opened.packs)),
      objects_(packs_),
      broker_(std::move(opened.state), objects_, of_this_life(settings.broker)),
      connections_(most_connections),
      governed_(settings.broker.governor.on),
      lines_(settings.sites),
      authenticator_(broker_.state().peers, log),
      gate_(context_, [this](CurveKey const& key,
                             std::string_view address) { return authenticator_.decide(key, address, clock_.now()); }),
      writer_(database_, loop),
      shared_state_(writer_),
      hashing_(loop, hashing_threads),
      object_writer_(loop, hashing_, packs_, writer_),
      reader_(loop, packs_),
      garbage_collector_(hashing_, packs_, writer_, object_writer_, log),
      quick_patch_maker_(loop, packs_, object_writer_, Effort::quick),
      thorough_patch_maker_(loop, packs_, object_writer_, Effort::thorough),
      scrubber_(loop, packs_, writer_, object_writer_, log, std::move(opened.scrubs)) {
    broker_.start(clock_.wall());
    if (!settings.cross_traffic.empty()) cross_traffic_.emplace(loop, settings.cross_traffic, log);
}

Status Daemon::open_ports(BrokerAddress const& listen) {
    auto ports = Ports::open(context_, keys_, listen, wire::encode_announcement(broker_.head(clock_.wall())));
    if (!ports) return pass(ports.error());
    ports_.emplace(std::move(*ports));
    return {};
}

Status Daemon::run() {
    loop_.watch(gate_.socket(), [this] { gate_.serve(); });
    test_with_stranger();
    loop_.run();
    end();
    log_.info("stopped at release {}", broker_.state().release_log.head().value);
    return outcome_;
}

// What is on its way to the database becomes durable; what workers compute is given up.
void Daemon::end() {
    quick_patch_maker_.stop();
    thorough_patch_maker_.stop();
    scrubber_.stop();
    if (auto unsaved = broker_.take_unsaved(); !unsaved.empty())
        writer_.submit(std::move(unsaved), [](Status const&) {});
    writer_.finish();
}

// The broker serves no peer before it is certain that unknown keys are refused.
void Daemon::test_with_stranger() {
    auto const stranger = CurveKeyPair::generate();
    authenticator_.expect_stranger(stranger.public_key);
    AuthenticatorSelfTest::Door const door{.endpoint = ports_->exchange.last_endpoint(), .key = keys_.public_key};
    stranger_test_ = std::make_unique<AuthenticatorSelfTest>(context_, loop_, stranger, door);
    stranger_test_->start([this] { return authenticator_.stranger_came(); },
                          [this](Status status) {
                              loop_.post([this] { stranger_test_.reset(); });
                              outcome_ = std::move(status);
                              if (outcome_) return begin();
                              loop_.stop();
                          });
}

void Daemon::begin() {
    loop_.watch(ports_->exchange, [this] { serve_exchange(); });
    loop_.watch(ports_->ingest, [this] { serve_ingest(); });
    loop_.watch(ports_->announce, [this] { serve_announce(); });
    tick();
    log_.info("listening on {} (ingest), :{} (announce), :{} (exchange); log at release {}", listen_.ingest(),
              listen_.port + 1, listen_.port + 2, broker_.state().release_log.head().value);
}

void Daemon::tick() {
    if (cross_traffic_) {
        raise(CrossTrafficMeasured{cross_traffic_->latest()});
        cross_traffic_->refresh();
    }
    raise(Tick{});
    told_full_ = false;
    if (++ticks_ % check_readers_every == 0) database_.drop_stale_readers();
    loop_.after(between_ticks, [this] { tick(); });
}

// ---- what arrives ----

void Daemon::serve_exchange() {
    for (int i = 0; i < messages_a_turn; ++i) {
        auto received = ports_->exchange.receive();
        if (!received) return;
        receive(std::move(*received));
    }
}

// Frames: routing id, header, body, payload where the message has one. A DEALER sends an empty message when it
// connects.
void Daemon::receive(Received received) {
    auto& frames = received.frames;
    auto const peer = PeerKey::parse(received.user_id);
    if (!peer || frames.size() < 2 || (frames.size() == 2 && frames[1].size() == 0)) return;
    auto const found = connections_.session_of(text_of(frames[0]), *peer);
    if (!found) {
        if (!std::exchange(told_full_, true))
            log_.warn("messages are dropped: {} sessions are open", connections_.size());
        return;
    }
    if (found->ended) raise(SessionGone{*found->ended});
    auto const session = found->session;
    if (found->fresh) {
        note_connection(*peer, frames[1]);
        open_route(session, frames[1]);
    }

    if (frames.size() != 3 && frames.size() != 4) {
        return raise(MalformedMessage{
            session, *peer, {Fault::damaged, fmt::format("a message has {} frames", frames.size() - 1)}});
    }
    auto const type = wire::decode_header(as_view(frames[1]));
    auto message = type ? wire::decode_body(*type, as_view(frames[2])) : Result<Message>(pass(type.error()));
    if (!message) return raise(MalformedMessage{session, *peer, message.error()});
    MessageArrived arrived{session, *peer, std::move(*message),
                           frames.size() == 4 ? to_buffer(as_view(frames[3])) : Buffer()};
    auto const* const connection = lines_.connection(session);
    bool const tells = std::holds_alternative<Ack>(arrived.message) || std::holds_alternative<Pong>(arrived.message);
    if (tells && connection != nullptr) arrived.round_trip = connection->round_trip();
    raise(std::move(arrived));
}

void Daemon::note_connection(PeerKey const& peer, Frame const& frame) {
    if (auto const descriptor = descriptor_of(frame)) peer_connections_.seen(peer, *descriptor);
}

void Daemon::open_route(SessionId session, Frame const& frame) {
    if (!governed_) return;
    auto const descriptor = descriptor_of(frame);
    auto const connection = descriptor ? TcpConnection::of(*descriptor) : std::nullopt;
    auto route = connection ? lines_.open(session, *connection) : std::nullopt;
    if (route) raise(RouteKnown{session, std::move(*route)});
}

void Daemon::serve_ingest() {
    for (int i = 0; i < messages_a_turn; ++i) {
        auto const received = ports_->ingest.receive();
        if (!received) return;
        auto const peer = PeerKey::parse(received->user_id);
        if (!peer || received->frames.size() != 1) continue;
        auto message = wire::decode_announcement(as_view(received->frames[0]));
        auto* const update = message ? std::get_if<Update>(&*message) : nullptr;
        if (update != nullptr) raise(UpdateArrived{*peer, std::move(*update)});
    }
}

// Subscriptions. They show the connections of each peer.
void Daemon::serve_announce() {
    for (int i = 0; i < messages_a_turn; ++i) {
        auto const received = ports_->announce.receive();
        if (!received) return;
        auto const peer = PeerKey::parse(received->user_id);
        if (!peer || received->frames.size() != 1) continue;
        note_connection(*peer, received->frames[0]);
        raise(NodeSubscribed{*peer});
    }
}

// ---- what is to be done ----

// Events that come up while actions are performed wait until all of those are done.
void Daemon::raise(Event event) {
    events_.push_back(std::move(event));
    if (deciding_) return;
    deciding_ = true;
    while (!events_.empty()) {
        auto next = std::move(events_.front());
        events_.pop_front();
        auto actions = broker_.on(std::move(next), clock_.moment());
        for (auto& action : actions) {
            std::visit([this](auto& concrete) { perform(concrete); }, action);
        }
    }
    deciding_ = false;
    arm_turn();
}

// One timer, for the next turn to send.
void Daemon::arm_turn() {
    auto const wake = broker_.wake();
    if (turn_timer_ && wake && *wake == turn_due_) return;
    if (turn_timer_) loop_.cancel(*turn_timer_);
    turn_timer_.reset();
    if (!wake) return;
    turn_due_ = *wake;
    turn_timer_ = loop_.at(*wake, [this] {
        turn_timer_.reset();
        raise(TurnDue{});
    });
}

// While there are sessions to which bytes flow.
void Daemon::read_lines() {
    for (auto& reading : lines_.read(loop_.now())) raise(std::move(reading));
    reading_lines_ = lines_.busy();
    if (reading_lines_) loop_.after(between_readings, [this] { read_lines(); });
}

// Ids of calls belong to this life of the broker.
BrokerSettings Daemon::of_this_life(BrokerSettings settings) {
    settings.calls.life = random_u64();
    return settings;
}

Daemon::Sent Daemon::send(SessionId session, Message const& message, std::optional<Frame> payload) {
    auto const* const routing_id = connections_.routing_id(session);
    if (routing_id == nullptr) return Sent::no;  // closed meanwhile
    std::vector<Frame> frames;
    frames.reserve(4);
    frames.push_back(to_frame(as_view(*routing_id)));
    frames.push_back(to_frame(wire::encode_header(type_of(message))));
    frames.push_back(to_frame(wire::encode_body(message)));
    if (payload) frames.push_back(std::move(*payload));
    auto const outcome = ports_->exchange.send(std::move(frames));
    if (outcome == Socket::Sent::yes) return Sent::yes;
    if (outcome == Socket::Sent::full)
        log_.warn("a session is dropped because its peer does not read from its connection");
    raise(SessionGone{session});
    return Sent::no;
}

void Daemon::perform(Send const& action) {
    bool const has_payload = std::holds_alternative<CallData>(action.message);
    send(action.session, action.message, has_payload ? std::optional(to_frame(action.payload)) : std::nullopt);
}

void Daemon::perform(SendProbe const& action) {
    auto const* const connection = lines_.connection(action.session);
    FrameLeft left{
        action.session, action.number, {}, loop_.now(), connection == nullptr ? Bytes() : connection->unsent()};
    if (send(action.session, Ping{action.number}, std::nullopt) == Sent::yes) raise(std::move(left));
}

void Daemon::perform(SetPacing const& action) {
    if (auto const* const connection = lines_.connection(action.session)) connection->pace(action.rate);
}

void Daemon::perform(SendFrame const& action) {
    reader_.read({action.place, action.offset, action.length}, [this, action](Result<Frame> frame) {
        if (connections_.routing_id(action.session) == nullptr) return;  // closed meanwhile
        if (frame) return send_data(action, std::move(*frame));
        log_.error("cannot send object {}: {}", action.place.shape.object.hex(), frame.error().message);
        raise(SessionGone{action.session});
    });
}

void Daemon::send_data(SendFrame const& action, Frame frame) {
    auto const* const connection = lines_.connection(action.session);
    FrameLeft left{action.session, std::nullopt, action.length, loop_.now(),
                   connection == nullptr ? Bytes() : connection->unsent()};
    bool const sent = send(action.session, Data{action.place.shape, action.offset}, std::move(frame)) == Sent::yes;
    if (!sent || connection == nullptr) return;
    lines_.sent(action.session, left.at);
    raise(std::move(left));
    if (!reading_lines_) read_lines();
}

void Daemon::perform(CloseSession const& action) {
    lines_.close(action.session);
    connections_.forget(action.session);
}

void Daemon::perform(CloseConnections const& action) {
    loop_.after(time_to_leave, [this, peer = action.peer] {
        if (broker_.state().peers.find(peer) == nullptr) peer_connections_.shut_down(peer);
    });
}

void Daemon::perform(Announce const& action) {
    std::vector<Frame> frames;
    frames.push_back(to_frame(wire::encode_announcement(action.message)));
    (void)ports_->announce.send(std::move(frames));  // a hint: a node that misses it sees the gap in the next HEAD
}

void Daemon::perform(SetWelcome const& action) { ports_->announce.set_welcome(wire::encode_announcement(action.head)); }

void Daemon::perform(Persist& action) {
    shared_state_.commit(std::move(action.batch), [this, ticket = action.ticket](SharedState::Outcome const& outcome) {
        auto const* error = std::get_if<Error>(&outcome);
        LULL_INVARIANT(!std::holds_alternative<SharedState::Conflict>(outcome));  // this broker is alone
        raise(BatchDone{ticket, error == nullptr ? Status() : Status(pass(*error))});
    });
}

void Daemon::perform(KeepObject& action) {
    auto const shape = action.shape;
    object_writer_.keep(shape, std::move(action.stored), [this, session = action.session, shape](Status const& status) {
        if (!status) log_.warn("an uploaded object is refused: {}", status.error().message);
        raise(ObjectKept{session, shape.object, shape.stored, status});
    });
}

void Daemon::perform(OpenManifest& action) {
    auto done = [this, session = action.session, manifest = action.manifest](Result<Manifest> content) {
        raise(ManifestOpened{session, manifest, std::move(content)});
    };
    auto const place = packs_.find(action.manifest);
    if (!place) return done(fail(Fault::not_found, "manifest {} is not here any more", action.manifest.hex()));
    hashing_.submit([pack = packs_.pack(place->pack), place = *place,
                     trusted = std::move(action.trusted)] { return open_stored_manifest(pack, place, trusted); },
                    std::move(done));
}

void Daemon::perform(ListNeeded const& action) {
    garbage_collector_.list_needed(action.manifests,
                                   [this](Result<ObjectSet> objects) { raise(NeededListed{std::move(objects)}); });
}

void Daemon::perform(RemoveOthers const& action) {
    garbage_collector_.remove_others(action.needed, [this](std::size_t objects, Bytes bytes) {
        raise(OthersRemoved{objects, bytes});
    });
}

void Daemon::perform(MakePatch const& action) {
    auto& maker = action.effort == Effort::quick ? quick_patch_maker_ : thorough_patch_maker_;
    maker.make(action.patch, [this, action](Result<MadePatch> made) {
        raise(PatchMade{action.patch, action.effort, std::move(made)});
    });
}

void Daemon::perform(ScrubObjects const& action) {
    scrubber_.step(action.interval, clock_.wall(), [this](Scrubbed outcome) { raise(std::move(outcome)); });
}

void Daemon::perform(Say const& action) {
    switch (action.level) {
        case LogLevel::debug: return log_.debug("{}", action.text);
        case LogLevel::info: return log_.info("{}", action.text);
        case LogLevel::warn: return log_.warn("{}", action.text);
        case LogLevel::error: return log_.error("{}", action.text);
    }
}

}  // namespace lull::broker
