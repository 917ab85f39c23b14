#include "broker/delivery/delivery.hpp"

namespace lull::broker {

namespace {

constexpr Duration grants_often = std::chrono::seconds(5);
constexpr Duration grants_at_least = std::chrono::minutes(1);
constexpr Duration queue_news = std::chrono::minutes(1);
constexpr std::size_t most_told_at_once = 1000;  // of the queue, a tick
// Longer than any machine runs: a clock that shows more is not believed.
constexpr std::uint64_t most_micros = std::uint64_t{1} << 50;

// The time of an ACK or PONG by the clock of its sender; nothing if it is missing or cannot be.
std::optional<Duration> receiver_clock(std::optional<std::uint64_t> micros) {
    if (!micros || *micros > most_micros) return std::nullopt;
    return std::chrono::microseconds(*micros);
}

auto micros_of(Duration duration) { return std::chrono::duration_cast<std::chrono::microseconds>(duration).count(); }

Queued queued(std::size_t position) { return {position, std::string(to_text(Reason::place_in_queue))}; }

}  // namespace

// ---- sessions ----

void Delivery::restart(SessionId session, TimePoint now) {
    sender_.drop(session);
    governor_.restart(session, now);
}

void Delivery::session_ended(SessionId session, Moment now) {
    sender_.drop(session);
    governor_.close(session, now.point);
    granted_.erase(session);
}

void Delivery::fetch(SessionId session, Fetch const& message) {
    if (message.items.size() > limits::objects_per_message) {
        return effects_.refuse(session, Refusal::invalid,
                               fmt::format("FETCH names at most {} objects", limits::objects_per_message));
    }
    auto const* const newest = parts_.log.newest(message.software);  // a log that was restored may lack it
    auto const urgency = newest == nullptr ? Urgency::normal : newest->info.urgency;
    bool waits = false;
    for (auto const& item : message.items) {
        auto const place = newest != nullptr ? parts_.objects.find(item.object) : std::nullopt;
        if (!place || item.offset >= place->shape.stored) {
            effects_.send(session, ObjectMissing{item.object});
            continue;
        }
        auto const outcome = sender_.enqueue(session, {*place, item.offset, message.software, urgency});
        if (outcome == Sender::Place::overfull) {
            return effects_.refuse(
                session, Refusal::invalid,
                fmt::format("at most {} objects may wait in a session", limits::objects_per_session));
        }
        waits |= outcome == Sender::Place::queued;
    }
    if (auto const position = sender_.position(session); waits && position && *position > 0)
        effects_.send(session, queued(*position));
}

void Delivery::acknowledge(SessionId session, Ack const& message, Moment now) {
    if (sender_.acknowledge(session, message.received, now.point)) return;
    effects_.refuse(session, Refusal::invalid, "ACK for bytes that were not sent: begin a new session");
    parts_.sessions.end(session, now);
}

// ---- bytes ----

void Delivery::send_what_may_go(Moment now) {
    auto outgoing = sender_.next(now.point);
    for (auto const& pacing : outgoing.pacing) effects_.act(pacing);
    for (auto const& probe : outgoing.probes) effects_.act(probe);
    for (auto& frame : outgoing.frames) effects_.act(std::move(frame));
    wake_ = outgoing.again;
    for (auto const session : sender_.overdue(now.point)) {
        parts_.sessions.end(session, "it takes nothing of what is sent to it: the session ends, and it may begin again",
                            now);
    }
}

void Delivery::learn_of_path(MessageArrived const& event, TimePoint now) {
    if (auto const* ack = std::get_if<Ack>(&event.message)) {
        governor_.acknowledged(event.session, ack->received, {receiver_clock(ack->at), event.round_trip}, now);
    } else if (auto const* pong = std::get_if<Pong>(&event.message)) {
        governor_.answered(event.session, pong->nonce, {receiver_clock(pong->at), event.round_trip}, now);
    }
}

void Delivery::read(LineReading const& reading, Moment now) {
    governor_.on(reading);
    governor_.divide(sender_.wishes(), now);
}

void Delivery::tick(Moment now) {
    tell_queue(now.point);
    governor_.divide(sender_.wishes(), now);
    tell_grants(now.point);
    log_governor(now.point);
}

// ---- why bytes do not flow ----

// A node that waits is told its place every minute: else it could not tell a long queue from a request that was lost.
void Delivery::tell_queue(TimePoint now) {
    if (now >= next_queue_news_ && !next_position_) {
        next_queue_news_ = now + queue_news;
        next_position_ = 1;
    }
    if (!next_position_) return;
    auto const told = sender_.waiting().from(*next_position_, most_told_at_once);
    for (auto const& [session, position] : told) effects_.send(session, queued(position));
    next_position_ = told.size() == most_told_at_once ? std::optional(*next_position_ + told.size()) : std::nullopt;
}

// Sessions that are served are told when the reason changes, though not all the time. Where nothing may flow at all
// they are told every minute: else they would take their request for lost. Any other session has to get bytes, or finds
// out that its request was lost.
void Delivery::tell_grants(TimePoint now) {
    if (now < next_grants_) return;
    next_grants_ = now + grants_often;
    for (auto const& wish : sender_.wishes()) {
        auto const view = governor_.view(wish.session, now);
        if (!view) continue;
        auto const known = granted_.find(wish.session);
        if (known != granted_.end()) {
            bool const again = view->rate.zero() && now - known->second.when >= grants_at_least;
            if (known->second.reason == view->reason && !again) continue;
        }
        granted_[wish.session] = {view->reason, now};
        auto const reason = view->reason == Reason::none ? std::string() : std::string(to_text(view->reason));
        effects_.send(wish.session, Grant{static_cast<std::uint64_t>(view->rate.per_second()), reason});
    }
}

// Every second, for operators who want to know why bytes do not flow.
void Delivery::log_governor(TimePoint now) {
    auto const wishes = sender_.wishes();
    if (wishes.empty()) return;
    for (auto const& [name, line] : governor_.lines()) {
        effects_.say(LogLevel::debug,
                     fmt::format("line {}: capacity {}, others {}, ours at most {}", name, to_text(line.capacity),
                                 to_text(line.cross_traffic), to_text(line.budget)));
    }
    for (auto const& wish : wishes) {
        auto const view = governor_.view(wish.session, now);
        if (!view) continue;
        effects_.say(LogLevel::debug, fmt::format("session {}: {} of {}, queue {} of {} us: {}", wish.session,
                                                  to_text(view->rate), to_text(view->capacity), micros_of(view->queue),
                                                  micros_of(view->threshold), to_text(view->reason)));
    }
}

}  // namespace lull::broker
