#include "broker/broker.hpp"

#include "broker/model/dispatch.hpp"

namespace lull::broker {

namespace {

constexpr Duration ping_uploads_after = std::chrono::seconds(5);
constexpr Duration minute = std::chrono::minutes(1);

std::optional<TimePoint> earlier(std::optional<TimePoint> a, std::optional<TimePoint> b) {
    return a && b ? std::min(a, b) : a ? a : b;
}

}  // namespace

Broker::Broker(BrokerState state, ObjectIndex const& index, BrokerSettings const& settings)
    : state_(std::move(state)),
      complaints_(state_.peers, state_.last_seen, effects_),
      presence_(state_.peers, state_.last_seen, state_.node_status, settings.away),
      sessions_({state_.peers, state_.last_seen, presence_, complaints_}, effects_, settings.silence),
      log_changes_(state_.release_log, effects_),
      catch_up_({state_.release_log, log_changes_, state_.peers, state_.node_status, complaints_}, settings.calls.life,
                effects_),
      reports_({state_.release_log, state_.peers, state_.node_status, sessions_, facts_, complaints_}, effects_),
      enrolment_(state_.peers, effects_),
      removal_({state_.peers, state_.last_seen, state_.node_status, presence_, sessions_, facts_}, effects_),
      lost_(effects_),
      publishing_({state_.release_log, log_changes_, state_.peers, lost_, complaints_}, {index, settings.offers},
                  effects_),
      beacon_({state_.release_log, state_.peers, state_.orders}, {settings.beacon, settings.catch_up_rate}, effects_),
      ordering_({state_.orders, state_.release_log, state_.peers, sessions_, beacon_}, effects_),
      rollouts_({state_.release_log, state_.peers, state_.node_status, presence_, ordering_, state_.orders},
                settings.rollout_patience, effects_),
      followers_({state_.release_log, state_.peers, state_.node_status, presence_, rollouts_, state_.orders}, effects_),
      patches_({state_.release_log, state_.node_status, state_.patches, index},
               {settings.patch_space, settings.patch_wait}, effects_),
      delivery_({state_.release_log, index, sessions_}, {settings.sender, settings.governor}, effects_),
      calls_({state_.release_log, state_.peers, sessions_, complaints_}, settings.calls, effects_),
      upkeep_({state_.release_log, log_changes_, state_.node_status, publishing_, patches_, lost_, index},
              {settings.keep, settings.scrub}, effects_),
      queries_({state_, sessions_, facts_, delivery_, patches_, rollouts_, calls_}) {
    log_changes_.observe(*this);
    sessions_.observe(catch_up_);
    sessions_.observe(patches_);
    sessions_.observe(followers_);
    sessions_.observe(delivery_);
    sessions_.observe(publishing_);
    sessions_.observe(calls_);
    reports_.observe(rollouts_);
    reports_.observe(followers_);
    presence_.observe(rollouts_);
    removal_.observe(rollouts_);
    removal_.observe(followers_);
    removal_.also({&OrderBook::removal, [this](NodeName const& node) { state_.orders.forget(node); }});
    ordering_.observe([this](Moment now) {
        rollouts_.orders_changed(now.point);
        followers_.look_soon(now.point);
    });
    rollouts_.observe([this](SoftwareName const& software, Moment now) { followers_.look(software, now.wall); });
}

// ---- events ----

void Broker::start(WallTime now) {
    auto const nodes = state_.peers.nodes().size();
    state_.last_seen.reserve(nodes);
    sessions_.reserve(nodes);
    catch_up_.reserve(nodes);
    sweep(now);
}

void Broker::sweep(WallTime now) {
    presence_.sweep([this](PeerKey const& node) { return sessions_.connected(node); }, now);
}

Actions Broker::on(Event event, Moment now) {
    bool const permits_nothing = std::holds_alternative<FrameLeft>(event);  // that a frame has left
    auto handlers = Overloaded{
        [&](MessageArrived& e) { message(std::move(e), now); },
        [&](UpdateArrived& e) { publishing_.update(std::move(e), now); },
        [&](MalformedMessage& e) { sessions_.malformed(e, now); },
        [&](NodeSubscribed& e) {
            if (state_.peers.find(e.peer) == nullptr) return;
            state_.last_seen.heard(e.peer, now.wall);
            presence_.heard(e.peer);
        },
        [&](SessionGone& e) { sessions_.end(e.session, now); },
        [&](BatchDone& e) { effects_.finish(e, now); },
        [&](ObjectKept& e) { publishing_.object_kept(e); },
        [&](ManifestOpened& e) { publishing_.manifest_opened(std::move(e)); },
        [&](NeededListed& e) { upkeep_.needed_listed(std::move(e), now); },
        [&](OthersRemoved& e) { upkeep_.others_removed(e, now); },
        [&](PatchMade& e) { patches_.made(std::move(e), now); },
        [&](Scrubbed& e) { upkeep_.scrubbed(e, now); },
        [&](RouteKnown& e) { delivery_.route_known(e); },
        [&](FrameLeft& e) { delivery_.frame_left(e); },
        [&](LineReading& e) { delivery_.read(e, now); },
        [&](CrossTrafficMeasured& e) { delivery_.cross_traffic(e.rate); },
        [&](TurnDue&) {
            if (rollouts_.is_ranking()) rollouts_.rank_nodes(now);
            if (patches_.is_serving()) patches_.serve_waiting(now);
        },
        [&](Tick&) { tick(now); },
    };
    bool const ticking = next_minute_ != TimePoint();
    if (!ticking) sweep(now.wall);
    std::visit(handlers, event);
    if (!permits_nothing) delivery_.send_what_may_go(now);
    calls_.grant(now.point);
    bool const goes_on = rollouts_.is_ranking() || patches_.is_serving();
    wake_ = goes_on ? now.point : earlier(delivery_.wake(), calls_.wake());
    return effects_.take();
}

void Broker::tick(Moment now) {
    beacon_.tick(now);
    delivery_.tick(now);
    sessions_.save_last_seen(now.point);
    if (now.point >= next_minute_) {
        next_minute_ = now.point + minute;
        delivery_.forget_idle_sites(now.point);
        upkeep_.clean(now);
    }
    ordering_.drop_ended_holds(now);
    catch_up_.reannounce(now.point);
    sessions_.look_after(now);
    for (auto const session : publishing_.sessions()) sessions_.ping_if_quiet(session, ping_uploads_after, now.point);
    sweep(now.wall);
    patches_.serve_waiting(now);
    rollouts_.tick(now);
    followers_.tick(now);
    calls_.tick(now);
    if (delivery_.idle()) upkeep_.scrub(now);
}

void Broker::released(Release const& release, Moment now) {
    effects_.act(Announce{Update{state_.release_log.epoch(), release.entry}});
    beacon_.set_welcome(now.wall);
    patches_.released(release, now);
    rollouts_.released(release, now);
    followers_.look(release.info.software, now.wall);
    effects_.say(LogLevel::info,
                 fmt::format("release {}: {} {} at {}", release.entry.seq.value, release.info.software.text(),
                             release.info.version.text(), precise_text(now.wall)));
}

// ---- messages ----

// A line for each message that the table of roles lets a peer send: dispatch() does not compile without one of them.
void Broker::message(MessageArrived event, Moment now) {
    delivery_.learn_of_path(event, now.point);
    if (!sessions_.admit(event, now)) return;
    auto const id = event.session;
    auto const& peer = event.peer;
    bool const handled = dispatch(
        std::move(event.message),
        Overloaded{
            [&](Update const&) { effects_.refuse(id, Refusal::not_allowed, "UPDATE does not belong here"); },
            [&](Offer m) { publishing_.offer(id, peer, std::move(m)); },
            [&](Put const& m) { publishing_.put(id, m, std::move(event.payload)); },
            [&](Hello const& m) { hello(id, peer, m, now); },
            [&](Sync const& m) {
                ordering_.send_missed(id, peer, m.orders.value_or(0), m.own_orders.value_or(0));
                catch_up_.page(id, m);
            },
            [&](Witness const& m) { catch_up_.witness(peer, m, now.wall); },
            [&](Fetch const& m) { delivery_.fetch(id, m); },
            [&](PatchQuery const& m) { patches_.query(id, m, now); },
            [&](Ack const& m) { delivery_.acknowledge(id, m, now); },
            [&](Credit const& m) { delivery_.permit(id, m); },
            [&](Report const& m) { reports_.take(id, peer, m); },
            [&](Ping const& m) { effects_.send(id, Pong{m.nonce}); },
            [&](Pong const&) {},  // the session is live, and the path's delay is known
            [&](Admin m) {
                admin({id, peer, std::move(m)}, now);
            },
            [&](Follow const& m) { followers_.follow(id, m, now.wall); },
            [&](Serve const& m) { calls_.serve(id, peer, m, now); },
            [&](CallOpen const& m) {
                state_.last_seen.runs(peer, m.program);
                calls_.open(id, peer, now);
            },
            [&](Call m) { calls_.call(id, peer, std::move(m), now); },
            [&](CallReady const& m) { calls_.ready(id, m, now); },
            [&](CallState const& m) { calls_.state(id, m, now); },
            [&](CallData const& m) { calls_.data(id, m, std::move(event.payload), now); },
            [&](CallCredit const& m) { calls_.credit(id, m); },
            [&](CallCancel const& m) { calls_.cancel(peer, m, now); },
        });
    LULL_INVARIANT(handled);  // the table of roles admits no other message
}

void Broker::hello(SessionId session, PeerKey const& node, Hello const& message, Moment now) {
    sessions_.begin_node(session, node, now);
    delivery_.restart(session, now.point);
    calls_.session_ended(session, now);  // a HELLO on the same connection begins anew
    state_.last_seen.runs(node, message.program);
    auto const heard = facts_.heard(node, message, now);
    if (heard.second_machine_is_news) {
        effects_.say(LogLevel::warn,
                     fmt::format("two machines use the identity of node '{}': 'lull nodes' says what to "
                                 "do",
                                 message.node.text()));
    }
    // Before WELCOME: else the node asks for the orders by SYNC.
    ordering_.send_missed(session, node, message.orders.value_or(0), message.own_orders.value_or(0));
    CatchUp::Besides besides{.note = heard.note};
    if (message.inventory) besides.wanted = reports_.wanted(node, *message.inventory);
    catch_up_.welcome(session, node, message, std::move(besides), now);
}

// A publisher sees only software that its key has signed a release of; an operator sees all.
std::optional<Ed25519Public> Broker::signer_of(PeerKey const& peer) const {
    auto const* const known = state_.peers.find(peer);
    LULL_INVARIANT(known != nullptr);  // its message was admitted
    return known->role == Role::publisher ? std::optional(known->signing.value_or(Ed25519Public{})) : std::nullopt;
}

void Broker::admin(OrderRequest request, Moment now) {
    auto const& message = request.message;
    auto const refuse = [&](std::string text) { effects_.refuse(request.session, Refusal::invalid, std::move(text)); };
    if (message.verb == AdminVerb::nodes_new) {
        return enrolment_.enrol(request.session, message, now,
                                [this, session = request.session, question = message](Moment then) mutable {
                                    question.cursor = 0;
                                    effects_.send(session, queries_.answer(question, then));
                                });
    }
    if (message.verb == AdminVerb::nodes_remove) {
        return removal_.remove({request.session, request.peer, message.nodes.value_or(std::vector<NodeName>())}, now,
                               [this, session = request.session](Moment then) {
                                   beacon_.set_welcome(then.wall);
                                   Answer answer;
                                   answer.verb = AdminVerb::nodes_remove;
                                   answer.time = then.wall;
                                   effects_.send(session, std::move(answer));
                               });
    }
    auto const signer = signer_of(request.peer);
    bool const known = !message.software || (signer ? queries_.has_release_of(*message.software, *signer)
                                                    : state_.release_log.newest(*message.software) != nullptr);
    if (!known && signer) {
        return refuse(fmt::format("there is no release of a software named '{}' here that your key has signed",
                                  message.software->text()));
    }
    if (!known) return refuse(fmt::format("there is no software named '{}' here", message.software->text()));
    if (message.node && !state_.peers.key_of(*message.node))
        return refuse(fmt::format("there is no node named '{}' here", message.node->text()));
    if (message.verb == AdminVerb::order) return ordering_.give(request, now);
    if (message.verb == AdminVerb::take_back) {
        bool const resumes = message.order && message.order->kind == OrderKind::pause && message.order->software;
        return ordering_.take_back(request, resumes ? rollouts_.failed(*message.order->software) : 0, now);
    }
    effects_.send(request.session, queries_.answer(message, now, signer));
}

}  // namespace lull::broker
