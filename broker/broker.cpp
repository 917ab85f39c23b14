#include "broker/broker.hpp"

#include <algorithm>
#include <bit>
#include <type_traits>

#include "schema/roles.hpp"

namespace lull::broker {

namespace {

constexpr Duration ping_after = std::chrono::seconds(30);
constexpr Duration ping_uploads_after = std::chrono::seconds(5);
constexpr Duration queue_news = std::chrono::minutes(1);
constexpr Duration upkeep = std::chrono::minutes(1);
constexpr std::size_t most_waiting_updates = 1024;

}  // namespace

Broker::Broker(BrokerState state, ObjectIndex const& index, BrokerSettings settings)
    : state_(std::move(state)), index_(index), settings_(std::move(settings)), offers_(index, settings_.offers), governor_(settings_.governor),
      sender_(settings_.sender, governor_) {}

Actions Broker::on(Event event, Moment now) {
    out_.clear();
    std::visit([&](auto& concrete) { on_event(std::move(concrete), now); }, event);
    // That a frame has left permits no other one.
    if (!std::holds_alternative<FrameLeft>(event)) send_what_may_go(now);
    return std::exchange(out_, {});
}

Head Broker::head(WallTime now) const {
    auto const spread = state_.peers.nodes().size() * 1000 / settings_.catch_up_rate;
    Head head{state_.catalogue.epoch(), state_.catalogue.head(), now, spread};
    if (auto const revision = state_.orders.for_all().revision; revision != 0) head.orders = revision;
    return head;
}

// ---- sessions ----

// A key that is enrolled, a role that may send this, and a session that was begun properly; null: answered already.
Broker::Session* Broker::admit(MessageArrived const& event, Moment now) {
    auto const* peer = state_.peers.find(event.peer);
    auto const type = type_of(event.message);
    auto const known = sessions_.find(event.session);
    if (peer == nullptr || !may_send(peer->role, type)) {
        refuse(event.session, Refusal::not_allowed,
               fmt::format("{} may not send {}", peer == nullptr ? "an unknown key" : to_text(peer->role), to_text(type)));
        if (known == sessions_.end()) out_.push_back(CloseSession{event.session});
        return nullptr;
    }
    state_.sightings.heard(event.peer, now.wall);
    bool const begins = type == MessageType::hello || type == MessageType::offer || type == MessageType::admin || type == MessageType::follow;
    if (known == sessions_.end() && !begins) {
        refuse(event.session, Refusal::no_session, fmt::format("{} before HELLO: begin a new session", to_text(type)));
        out_.push_back(CloseSession{event.session});
        return nullptr;
    }
    Session const fresh{.peer = event.peer, .heard = now.point, .pinged = now.point};
    auto& session = sessions_.try_emplace(event.session, fresh).first->second;
    LULL_INVARIANT(session.peer == event.peer);
    session.heard = now.point;
    return &session;
}

void Broker::on_event(MessageArrived event, Moment now) {
    learn_of_way(event, now);
    if (std::holds_alternative<Pong>(event.message)) {
        auto const found = sessions_.find(event.session);
        if (found == sessions_.end()) return out_.push_back(CloseSession{event.session});  // the answer came too late
        found->second.heard = now.point;
        return;
    }
    auto* session = admit(event, now);
    if (session == nullptr) return;
    if (auto* put = std::get_if<Put>(&event.message)) return append(offers_.put(event.session, *put, std::move(event.payload)));
    std::visit(
        [&](auto& message) {
            using Concrete = std::remove_reference_t<decltype(message)>;
            if constexpr (requires(Session& s) { on_message(SessionId{}, s, std::declval<Concrete>(), now); }) {
                on_message(event.session, *session, std::move(message), now);
            } else {
                refuse(event.session, Refusal::not_allowed, fmt::format("{} does not belong here", to_text(type_of(event.message))));
            }
        },
        event.message);
}

void Broker::on_event(NonsenseArrived event, Moment) {
    refuse(event.session, Refusal::unknown_type, event.error.message);
    if (!sessions_.contains(event.session)) out_.push_back(CloseSession{event.session});
    complain(event.peer, event.error.message);
}

// What a peer did wrong goes to the log the first time, the second, the fourth, and so on, so that it cannot flood the log.
void Broker::complain(PeerKey const& peer, std::string_view text) {
    auto const* known = state_.peers.find(peer);
    if (known == nullptr) return;  // its connection ends of itself: the gate has forgotten it
    auto const count = state_.sightings.complain(peer);
    if (std::has_single_bit(count)) say(LogLevel::warn, fmt::format("from '{}' (complaint number {}): {}", known->name, count, text));
}

void Broker::on_event(SessionGone event, Moment now) { close(event.session, now); }

void Broker::close(SessionId session, Moment now) {
    auto const found = sessions_.find(session);
    if (found != sessions_.end()) {
        auto const node = node_sessions_.find(found->second.peer);
        if (node != node_sessions_.end() && node->second == session) node_sessions_.erase(node);
        sessions_.erase(found);
    }
    waiting_plans_.erase(session);
    followers_.erase(session);
    sender_.drop(session);
    governor_.close(session, now.point);
    append(offers_.drop(session));
    out_.push_back(CloseSession{session});
}

void Broker::on_event(Tick, Moment now) {
    if (now.point >= next_beacon_) {
        next_beacon_ = now.point + settings_.beacon;
        out_.push_back(Announce{head(now.wall)});
        out_.push_back(SetWelcome{head(now.wall)});
    }
    if (now.point >= next_queue_news_) {
        next_queue_news_ = now.point + queue_news;
        tell_queue();
    }
    governor_.divide(sender_.wishes(), now);
    tell_grants(now);
    log_governor(now);
    if (now.point >= next_upkeep_) {
        governor_.forget_idle(now.point);
        next_upkeep_ = now.point + upkeep;
        save_sightings();
        forget_superseded();
        collect_garbage(now);
        drop_ended_holds(now);
    }
    look_after_sessions(now);
    serve_waiting_plans(now);
    advance_rollouts(now);
    scrub_when_idle(now);
}

void Broker::look_after_sessions(Moment now) {
    std::vector<SessionId> silent;
    for (auto& [id, session] : sessions_) {
        if (session.reannounce && now.point >= *session.reannounce) {
            session.reannounce.reset();
            reannounce(id, session.peer, session.heard_of);
        }
        auto const quiet = now.point - session.heard;
        if (quiet > settings_.silence) {
            silent.push_back(id);
        } else if (auto const after = offers_.has(id) ? ping_uploads_after : ping_after;
                   quiet > after && now.point - session.pinged > after) {
            session.pinged = now.point;  // a ROUTER learns that a peer is gone only by sending
            send(id, Ping{});
        }
    }
    for (auto const id : silent) close(id, now);
}

void Broker::on_message(SessionId id, Session&, Ping const& message, Moment) { send(id, Pong{message.nonce}); }

// ---- publishers ----

void Broker::on_message(SessionId id, Session& session, Offer message, Moment) {
    if (auto const* release = state_.catalogue.find(message.software, message.version)) {
        bool const same = release->info.builds == message.builds;
        if (same && has_all_objects(*release)) {
            return send(id, Committed{message.software, message.version, state_.catalogue.epoch(), release->entry.seq,
                                      release->entry.time, true});
        }
        if (!same) {
            return refuse(id, Refusal::conflict,
                          fmt::format("{} {} was published before with other contents or by another key (release {}); choose a new version",
                                      message.software.text(), message.version.text(), release->entry.seq.value));
        }
    }
    append(offers_.begin(id, session.peer, std::move(message), state_.peers.publishers()));
}

// As far as it is known.
bool Broker::has_all_objects(Release const& release) const {
    return lost_.empty() &&
           std::ranges::all_of(release.info.builds, [this](Build const& build) { return index_.find(build.manifest).has_value(); });
}

void Broker::on_event(ObjectKept event, Moment) {
    if (event.status && lost_.erase(event.object) > 0 && lost_.empty()) say(LogLevel::info, "all objects that were lost are here again");
    append(offers_.object_kept(event));
}

void Broker::on_event(ManifestOpened event, Moment) { append(offers_.manifest_opened(std::move(event))); }

void Broker::on_event(UpdateArrived event, Moment now) {
    auto const* peer = state_.peers.find(event.peer);
    if (peer == nullptr || !may_send(peer->role, MessageType::update)) {
        return complain(event.peer, "UPDATE from a key that may not publish");
    }
    auto info = open_update_info(event.update.entry.update, state_.peers.publishers());
    if (!info) return complain(event.peer, fmt::format("UPDATE: {}", info.error().message));

    if (auto const* release = state_.catalogue.find(info->software, info->version)) {
        if (release->info.builds == info->builds) return tell_publishers(event.peer, *release, release->entry.time < info->time);
        for (auto const id : offers_.sessions_for(event.peer, *info)) {
            refuse(id, Refusal::conflict, "this version was published meanwhile with other contents; choose a new version");
            append(offers_.drop(id));
        }
        return;
    }
    if (!offers_.complete(event.peer, *info)) return;  // the publisher's session is not at that point: it will begin again
    enter_log(std::move(event), std::move(*info), now);
}

// One publication enters the log at a time; a further one waits for its turn and is looked at again then.
void Broker::enter_log(UpdateArrived event, UpdateInfo info, Moment now) {
    if (state_.catalogue.reserved() || identity_changes_) {
        if (waiting_updates_.size() < most_waiting_updates) waiting_updates_.push_back(std::move(event));
        return;
    }
    auto const peer = event.peer;
    auto const sessions = offers_.sessions_for(peer, info);
    auto const entry = state_.catalogue.reserve(std::move(event.update.entry.update), std::move(info), now.wall);
    persist({Catalogue::change(entry)}, [this, peer, sessions](Status const& status, Moment then) {
        if (!status) {
            state_.catalogue.abandon();
            for (auto const id : sessions) {
                refuse(id, Refusal::no_space, fmt::format("the broker could not record the release: {}", status.error().message));
                append(offers_.drop(id));
            }
        } else {
            auto const& release = state_.catalogue.confirm();
            tell_publishers(peer, release, false);
            out_.push_back(Announce{Update{state_.catalogue.epoch(), release.entry}});
            out_.push_back(SetWelcome{head(then.wall)});
            order_patches(release, then);
            next_rollout_look_ = then.point;
            advance_rollouts(then);
            say(LogLevel::info, fmt::format("release {}: {} {} at {} us", release.entry.seq.value, release.info.software.text(),
                                            release.info.version.text(), then.wall.micros));
        }
        take_waiting_updates(then);
    });
}

void Broker::take_waiting_updates(Moment now) {
    auto waiting = std::exchange(waiting_updates_, {});
    for (auto& update : waiting) on_event(std::move(update), now);
}

void Broker::tell_publishers(PeerKey const& peer, Release const& release, bool before) {
    for (auto const id : offers_.sessions_for(peer, release.info)) {
        send(id, Committed{release.info.software, release.info.version, state_.catalogue.epoch(), release.entry.seq,
                           release.entry.time, before});
    }
}

// ---- the disk ----

void Broker::persist(store::Batch batch, Continuation then) {
    auto const ticket = next_ticket_++;
    continuations_.emplace(ticket, std::move(then));
    out_.push_back(Persist{ticket, std::move(batch)});
}

void Broker::on_event(BatchDone event, Moment now) {
    auto const found = continuations_.find(event.ticket);
    LULL_INVARIANT(found != continuations_.end());
    auto const then = std::move(found->second);
    continuations_.erase(found);
    then(event.status, now);
}

void Broker::append(Actions actions) { std::move(actions.begin(), actions.end(), std::back_inserter(out_)); }

}  // namespace lull::broker
