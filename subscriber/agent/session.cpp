#include "subscriber/agent/session.hpp"

#include <algorithm>

#include "core/byte_rate.hpp"

namespace lull::subscriber {

std::uint64_t micros_of(TimePoint when) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(when.time_since_epoch()).count());
}

void Session::ready(Hello hello, Moment now) {
    link_.ready(now.point);
    effects_.send(std::move(hello));
}

void Session::lost(ExchangeLost const& event, Moment now) {
    if (link_.state() == Link::State::closed) return;
    effects_.log(LogLevel::debug, fmt::format("exchange lost: {}", event.why));
    give_up(now);
}

void Session::heard(Message const& message, Moment now) {
    link_.heard(now.point);
    if (!std::holds_alternative<Ping>(message) && !std::holds_alternative<Pong>(message)) link_.spoke(now.point);
}

bool Session::welcomed(Moment now) {
    if (link_.state() != Link::State::greeting) return false;
    link_.welcomed(now.point);
    return true;
}

void Session::on(Ping const& message, TimePoint came) { effects_.send(Pong{message.nonce, micros_of(came)}); }

void Session::on(Busy const& message, Moment now) {
    link_.lost(now.point);
    link_.busy(now.point + std::chrono::milliseconds(std::min<std::uint64_t>(message.retry_after, 3'600'000)));
    effects_.perform(CloseExchange{});
}

void Session::on(Refused const& message, Moment now) {
    effects_.log(LogLevel::warn, fmt::format("the broker refused: {}", message.text));
    give_up(now);
}

void Session::on(Queued const& message, Moment now) {
    link_.moved(now.point);
    effects_.log(LogLevel::info,
                 fmt::format("waiting for the broker: number {} in the queue, {}", message.position, message.reason));
    effects_.perform(ShowFlow{fmt::format("number {} in the broker's queue: {}", message.position, message.reason)});
}

// Only with a rate of 0 is it right that no bytes come.
void Session::on(Grant const& message, Moment now) {
    if (message.rate == 0) link_.moved(now.point);
    auto const rate = to_text(ByteRate(static_cast<double>(message.rate)));
    if (message.reason.empty()) return effects_.perform(ShowFlow{rate});
    effects_.log(LogLevel::info, fmt::format("the broker sends slowly: {}", message.reason));
    effects_.perform(ShowFlow{fmt::format("{}: {}", rate, message.reason)});
}

void Session::give_up(Moment now) {
    link_.lost(now.point);
    effects_.perform(CloseExchange{});
}

void Session::ask(Message message, Moment now) {
    asked_at_ = now.point;
    effects_.send(std::move(message));
}

bool Session::answer_overdue(Moment now) {
    if (now.point - asked_at_ < answer_) return false;
    asked_at_ = now.point;
    return true;
}

void Session::keep_going(Link::Need need, Moment now) {
    switch (link_.advise(need, now.point)) {
        case Link::Advice::nothing: return;
        case Link::Advice::open: link_.opening(now.point); return effects_.perform(OpenExchange{});
        case Link::Advice::give_up: return give_up(now);
        case Link::Advice::ping: link_.pinged(now.point); return effects_.send(Ping{});
        case Link::Advice::close: link_.closed(now.point); return effects_.perform(CloseExchange{});
    }
}

TimePoint Session::wake(Link::Need need, Answer answer) const {
    TimePoint const when = link_.wake(need);
    return open() && answer == Answer::asked ? std::min(when, asked_at_ + answer_) : when;
}

}  // namespace lull::subscriber
