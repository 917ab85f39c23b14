#include "broker/fleet/sessions.hpp"

#include <algorithm>

#include "schema/roles.hpp"

namespace lull::broker {

namespace {

constexpr Duration ping_after = std::chrono::seconds(30);
constexpr std::size_t ticks_per_round = 15;
constexpr std::size_t least_visited_per_tick = 1000;
constexpr Duration between_saves = std::chrono::minutes(1);
constexpr std::size_t most_saved_at_once = 2000;

// The name of a message that this peer may not send; empty if it may.
std::string forbidden(Peer const* peer, Message const& message) {
    auto const type = type_of(message);
    if (peer == nullptr || !may_send(peer->role, type)) return std::string(to_text(type));
    auto const* const admin = std::get_if<Admin>(&message);
    if (admin == nullptr || may_ask(peer->role, admin->verb)) return "";
    return "ADMIN, except to list releases";
}

bool begins_session(MessageType type) {
    return type == MessageType::hello || type == MessageType::offer || type == MessageType::admin ||
           type == MessageType::follow || type == MessageType::call_open;
}

}  // namespace

bool Sessions::admit(MessageArrived const& event, Moment now) {
    auto const type = type_of(event.message);
    if (type == MessageType::pong) return answered(event.session, now);
    auto const* peer = parts_.peers.find(event.peer);
    auto const known = sessions_.find(event.session);
    if (auto const what = forbidden(peer, event.message); !what.empty()) {
        effects_.refuse(event.session, Refusal::not_allowed,
                        peer == nullptr
                            ? fmt::format("this key is not enrolled here, or not any more, and may not send {}; for a "
                                          "new one, run 'lull nodes new' and 'lull-node join'",
                                          what)
                            : fmt::format("the key of a {} does not suffice for this ({}){}", to_text(peer->role), what,
                                          peer->role == Role::publisher ? "; use an operator's key (--keys)" : ""));
        if (known == sessions_.end()) end(event.session, now);
        return false;
    }
    parts_.last_seen.heard(event.peer, now.wall);
    parts_.presence.heard(event.peer);
    if (known != sessions_.end()) {
        LULL_INVARIANT(known->second.peer == event.peer);
        known->second.heard = now.point;
        return true;
    }
    if (!begins_session(type)) {
        effects_.refuse(event.session, Refusal::no_session,
                        fmt::format("{} before HELLO: begin a new session", to_text(type)));
        end(event.session, now);
        return false;
    }
    sessions_.emplace(event.session, Session{event.peer, now.point, now.point});
    return true;
}

// A PONG begins no session: where there is none, it came too late.
bool Sessions::answered(SessionId session, Moment now) {
    auto const found = sessions_.find(session);
    if (found == sessions_.end()) {
        end(session, now);
        return false;
    }
    found->second.heard = now.point;
    return true;
}

void Sessions::malformed(MalformedMessage const& event, Moment now) {
    effects_.refuse(event.session, Refusal::unknown_type, event.error.message);
    if (!sessions_.contains(event.session)) end(event.session, now);
    parts_.complaints.about(event.peer, event.error.message);
}

void Sessions::begin_node(SessionId session, PeerKey const& node, Moment now) {
    // The node has connected anew: its older connection is dead.
    if (auto const older = session_of(node); older && *older != session) end(*older, now);
    nodes_[node] = session;
}

void Sessions::end(SessionId session, Moment now) {
    auto const found = sessions_.find(session);
    if (found != sessions_.end()) {
        auto const node = nodes_.find(found->second.peer);
        if (node != nodes_.end() && node->second == session) nodes_.erase(node);
        sessions_.erase(found);
    }
    for (auto* const observer : observers_) observer->session_ended(session, now);
    effects_.act(CloseSession{session});
}

void Sessions::end(SessionId session, std::string_view why, Moment now) {
    auto const found = sessions_.find(session);
    if (found != sessions_.end()) parts_.complaints.about(found->second.peer, why);
    end(session, now);
}

void Sessions::end_all_of(PeerKey const& peer, std::string_view why, Moment now) {
    std::vector<SessionId> its;
    for (auto const& [id, session] : sessions_) {
        if (session.peer == peer) its.push_back(id);
    }
    for (auto const id : its) {
        effects_.refuse(id, Refusal::not_allowed, std::string(why));
        end(id, now);
    }
}

void Sessions::ping_if_quiet(SessionId id, Session& session, Duration quiet, TimePoint now) {
    if (now - session.heard <= quiet || now - session.pinged <= quiet) return;
    session.pinged = now;  // a ROUTER learns that a peer is gone only by sending
    effects_.send(id, Ping{});
}

void Sessions::ping_if_quiet(SessionId session, Duration quiet, TimePoint now) {
    auto const found = sessions_.find(session);
    if (found != sessions_.end()) ping_if_quiet(session, found->second, quiet, now);
}

void Sessions::look_after(Moment now) {
    auto const most = std::min(sessions_.size(),
                               std::max(least_visited_per_tick, sessions_.size() / ticks_per_round + 1));
    auto next = sessions_.upper_bound(looked_at_);
    std::vector<SessionId> silent;
    for (std::size_t i = 0; i < most; ++i, ++next) {
        if (next == sessions_.end()) next = sessions_.begin();
        looked_at_ = next->first;
        if (now.point - next->second.heard > silence_) {
            silent.push_back(next->first);
        } else {
            ping_if_quiet(next->first, next->second, ping_after, now.point);
        }
    }
    for (auto const session : silent) end(session, now);
}

void Sessions::save_last_seen(TimePoint now) {
    if (now >= next_save_) {
        next_save_ = now + between_saves;
        saving_ = true;
    }
    if (!saving_) return;
    auto batch = parts_.last_seen.take_changes(most_saved_at_once);
    saving_ = batch.size() == most_saved_at_once;
    if (!batch.empty())
        effects_.persist(std::move(batch), [](Status const&, Moment) {});  // the next message replaces what is lost
}

std::optional<SessionId> Sessions::session_of(PeerKey const& node) const {
    auto const found = nodes_.find(node);
    if (found == nodes_.end()) return std::nullopt;
    return found->second;
}

std::size_t Sessions::kept() const {
    auto kept = sessions_.size() + nodes_.size();
    for (auto const* observer : observers_) kept += observer->kept_sessions();
    return kept;
}

}  // namespace lull::broker
