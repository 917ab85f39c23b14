#include "broker/calls/call_relay.hpp"

namespace lull::broker {

namespace {

constexpr Bytes on_their_way = MiB(64);  // of all calls
constexpr Bytes least_window = KiB(16);
constexpr Bytes usual_grant = KiB(32);  // fewer bytes are granted only if no more are wanted

bool flows(CallRecord const& record) { return record.went && !is_final(record.state.phase); }

std::optional<SessionId> sender_of(CallRecord const& record, CallStream stream) {
    return stream == CallStream::in ? record.session : record.executor;
}

std::optional<SessionId> receiver_of(CallRecord const& record, CallStream stream) {
    return stream == CallStream::in ? record.executor : record.session;
}

}  // namespace

Bytes CallRelay::window() const {
    auto const streams = 3 * std::max<std::size_t>(table_.live().size(), 1);
    return std::clamp(Bytes(on_their_way.count() / streams), least_window, limits::call_window);
}

void CallRelay::wish(Wish wish) {
    if (wished_.insert(wish).second) wishes_.push_back(wish);
}

void CallRelay::begin(CallRecord const& record) {
    for (auto const stream : {CallStream::in, CallStream::out, CallStream::err}) wish({record.number, stream});
}

void CallRelay::permit(CallRecord& record, CallCredit const& message) {
    record.flow.permit(message.stream, message.permitted);
    if (flows(record)) wish({record.number, message.stream});
}

bool CallRelay::pass(CallRecord& record, CallData const& message, Buffer payload) {
    if (!record.flow.pass(message.stream, message.offset, Bytes(payload.size()), message.last)) return false;
    wish({record.number, message.stream});
    if (auto const receiver = receiver_of(record, message.stream))
        effects_.act(Send{*receiver, message, std::move(payload)});
    return true;
}

void CallRelay::grant(TimePoint now) {
    wake_.reset();
    while (!wishes_.empty()) {
        auto const next = wishes_.front();
        auto* const record = table_.find(next.call);
        auto const sender = record != nullptr && flows(*record) ? sender_of(*record, next.stream) : std::nullopt;
        auto const want = sender ? record->flow.wish(next.stream, window()) : Bytes();
        if (!want.zero()) {
            auto const least = std::min(want, usual_grant);
            auto const granted = pacer_.take(want, least, now);
            if (granted.zero()) {
                wake_ = pacer_.when(least, now);
                return;
            }
            auto const sum = record->flow.grant(next.stream, granted);
            effects_.send(*sender, CallCredit{record->request.id, next.stream, sum});
        }
        wishes_.pop_front();
        wished_.erase(next);
        if (sender && !record->flow.wish(next.stream, window()).zero()) wish(next);
    }
}

}  // namespace lull::broker
