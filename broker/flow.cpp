#include "broker/broker.hpp"

// When bytes flow: between the governor, which permits, the sender, which has them, and the people and nodes that want to know why
// they do not.

namespace lull::broker {

namespace {

constexpr Duration grants_often = std::chrono::seconds(5);
constexpr Duration grants_at_least = std::chrono::minutes(1);
// Later than any machine runs: no clock that is worth looking at.
constexpr std::uint64_t most_micros = std::uint64_t{1} << 50;

// The time of an ACK or PONG by the clock of its sender; nothing if it did not say, or said what cannot be.
std::optional<Duration> receiver_clock(std::optional<std::uint64_t> micros) {
    if (!micros || *micros > most_micros) return std::nullopt;
    return std::chrono::microseconds(*micros);
}

auto micros_of(Duration duration) { return std::chrono::duration_cast<std::chrono::microseconds>(duration).count(); }

}  // namespace

void Broker::send_what_may_go(Moment now) {
    auto outgoing = sender_.next(now.point);
    for (auto const& pacing : outgoing.pacing) out_.push_back(pacing);
    for (auto const& probe : outgoing.probes) out_.push_back(probe);
    for (auto& frame : outgoing.frames) out_.push_back(std::move(frame));
    wake_ = outgoing.again;
    for (auto const id : sender_.overdue(now.point)) {
        complain(sessions_.at(id).peer, "it takes nothing of what is sent to it: the session ends, and it may begin again");
        close(id, now);
    }
}

// Whatever else an ACK or a PONG means, it tells how long a frame or a probe was on its way.
void Broker::learn_of_way(MessageArrived const& event, Moment now) {
    if (auto const* ack = std::get_if<Ack>(&event.message)) {
        governor_.acknowledged(event.session, ack->received, {receiver_clock(ack->at), event.round_trip}, now.point);
    } else if (auto const* pong = std::get_if<Pong>(&event.message)) {
        governor_.answered(event.session, pong->nonce, {receiver_clock(pong->at), event.round_trip}, now.point);
    }
}

void Broker::on_event(WayKnown event, Moment) { governor_.open(event.session, event.way); }

void Broker::on_event(FrameLeft event, Moment) { governor_.left(event); }

void Broker::on_event(LineReading event, Moment now) {
    governor_.on(event);
    governor_.divide(sender_.wishes(), now);
}

void Broker::on_event(ForeignMeasured event, Moment) { governor_.foreign_elsewhere(event.rate); }

void Broker::on_event(TurnDue, Moment) {}

// Those that are served hear when the reason changes, though not all the time. Where nothing may flow at all they hear so every minute:
// else they would take their request for lost. Anybody else has to get bytes, or finds out that it was.
void Broker::tell_grants(Moment now) {
    if (now.point < next_grants_) return;
    next_grants_ = now.point + grants_often;
    for (auto const& wish : sender_.wishes()) {
        auto const view = governor_.view(wish.session, now.point);
        if (!view) continue;
        auto& told = sessions_.at(wish.session).granted;
        bool const again = view->rate.zero() && told && now.point - told->when >= grants_at_least;
        if (told && told->reason == view->reason && !again) continue;
        told = {view->reason, now.point};
        auto const reason = view->reason == Reason::none ? std::string() : std::string(to_text(view->reason));
        send(wish.session, Grant{static_cast<std::uint64_t>(view->rate.per_second()), reason});
    }
}

// Every second, for whoever wants to know why bytes do not flow.
void Broker::log_governor(Moment now) {
    auto const wishes = sender_.wishes();
    if (wishes.empty()) return;
    for (auto const& [name, line] : governor_.lines()) {
        say(LogLevel::debug, fmt::format("line {}: capacity {}, others {}, ours at most {}", name, to_text(line.capacity),
                                         to_text(line.foreign), to_text(line.budget)));
    }
    for (auto const& wish : wishes) {
        auto const view = governor_.view(wish.session, now.point);
        if (!view) continue;
        say(LogLevel::debug, fmt::format("session {}: {} of {}, queue {} of {} us: {}", wish.session, to_text(view->rate), to_text(view->capacity),
                                         micros_of(view->queue), micros_of(view->threshold), to_text(view->reason)));
    }
}

}  // namespace lull::broker
