#include "subscriber/caller/caller.hpp"

#include <algorithm>

namespace lull::subscriber {

namespace {

constexpr std::uint64_t signals_from = 128;  // exit statuses, as shells have them

std::string with(std::string text, std::string const& more) { return more.empty() ? text : text + ": " + more; }

LocalEnd unknown(std::string const& why) {
    return {static_cast<std::uint64_t>(exit_status(Fault::failed)),
            with("unknown, not repeated: the program may have run, wholly or in part", why)};
}

LocalEnd not_sent(std::string const& why) {
    return {static_cast<std::uint64_t>(exit_status(Fault::unreachable)), with("cannot call", why)};
}

}  // namespace

LocalEnd end_of(CallState const& state) {
    auto const reason = state.reason ? std::string(to_text(*state.reason)) : std::string();
    if (state.phase == CallPhase::unknown) return unknown(with(reason, state.text));
    if (state.phase == CallPhase::refused || !state.result) {
        auto const why = reason.empty() ? state.text : with(reason, state.text);
        return {static_cast<std::uint64_t>(exit_status(Fault::refused)), with("the call was refused", why)};
    }
    LocalEnd end;
    end.status = state.result->status.value_or(signals_from + state.result->signal.value_or(0));
    if (state.reason) {
        end.message = with("the program was stopped", with(reason, state.text));
    } else if (state.result->signal) {
        end.message = with(fmt::format("the program was ended by signal {}", *state.result->signal), state.text);
    }
    return end;
}

// ---- commands ----

void Caller::asked(ClientId client, CallId const& id, LocalRequest request, Seq seq, Moment now) {
    if (auto const valid = validate_call(request.program, request.arguments, request.limits); !valid) {
        return ports_.end(client, {static_cast<std::uint64_t>(exit_status(Fault::usage)), valid.error().message});
    }
    Call call;
    call.id = id;
    call.request = std::move(request);
    call.seq = seq;
    auto& known = calls_.insert_or_assign(client, std::move(call)).first->second;
    if (session_ == Session::open) return send_call(known);
    if (session_ != Session::closed) return;
    session_ = Session::connecting;
    since_ = now.point;
    ports_.open_session();
}

void Caller::send_call(Call& call) {
    call.sent = true;
    ports_.send(::lull::Call{call.id, life_, call.request.software, call.seq, call.request.program,
                             call.request.arguments, call.request.limits},
                {});
}

void Caller::wrote_input(ClientId client, View bytes) {
    auto const found = calls_.find(client);
    if (found == calls_.end() || bytes.empty()) return;
    auto& call = found->second;
    auto const offset = call.input.send(Bytes(bytes.size()));
    ports_.send(CallData{call.id, CallStream::in, offset, false}, bytes);
}

void Caller::ended_input(ClientId client) {
    auto const found = calls_.find(client);
    if (found == calls_.end() || std::exchange(found->second.input_ended, true)) return;
    auto const& call = found->second;
    // Before the program has begun no side could take it.
    if (call.phase == CallPhase::running) ports_.send(CallData{call.id, CallStream::in, call.input.sent(), true}, {});
}

Bytes Caller::input_left(ClientId client) const {
    auto const found = calls_.find(client);
    return found == calls_.end() ? Bytes() : found->second.input.left();
}

void Caller::took(ClientId client, CallStream stream, Bytes size) {
    auto const found = calls_.find(client);
    if (found == calls_.end()) return;
    found->second.flow(stream).took(size);
    give_credit(found->second, stream);
}

void Caller::give_credit(Call& call, CallStream stream) {
    if (call.phase != CallPhase::running) return;
    if (auto const credit = call.flow(stream).credit_due()) ports_.send(CallCredit{call.id, stream, *credit}, {});
}

void Caller::gone(ClientId client, Moment now) {
    auto const found = calls_.find(client);
    if (found == calls_.end()) return;
    auto& call = found->second;
    if (!call.sent) {
        calls_.erase(found);
        used_ = now.point;
        return;
    }
    call.gone = true;
    ports_.send(CallCancel{call.id, std::nullopt}, {});
}

// ---- the session ----

void Caller::session_ready(Moment now) {
    if (session_ != Session::connecting) return;
    session_ = Session::greeting;
    heard_ = pinged_ = now.point;
    ports_.send(CallOpen{program_}, {});
}

void Caller::session_lost(std::string const& why, Moment now) {
    if (session_ != Session::closed) drop_session(why, now);
}

void Caller::drop_session(std::string const& why, Moment now) {
    session_ = Session::closed;
    ports_.close_session();
    while (!calls_.empty()) {
        auto const call = calls_.begin();
        end(call, call->second.sent ? unknown(why) : not_sent(why), now);
    }
}

void Caller::heard(Message const& message, View payload, Moment now) {
    if (session_ == Session::closed) return;
    heard_ = now.point;
    if (auto const* const welcome = std::get_if<Welcome>(&message)) return on(*welcome, now);
    if (auto const* const state = std::get_if<CallState>(&message)) return on(*state, now);
    if (auto const* const data = std::get_if<CallData>(&message)) return on(*data, payload, now);
    if (auto const* const credit = std::get_if<CallCredit>(&message)) return on(*credit);
    if (auto const* const ping = std::get_if<Ping>(&message)) return ports_.send(Pong{ping->nonce, std::nullopt}, {});
    if (std::holds_alternative<Busy>(message))
        return drop_session("the broker has too much to do; try again later", now);
    if (auto const* const refused = std::get_if<Refused>(&message)) return drop_session(refused->text, now);
}

void Caller::on(Welcome const& message, Moment now) {
    if (session_ != Session::greeting) return;
    if (!message.life) return drop_session("this broker is too old for calls", now);
    session_ = Session::open;
    life_ = *message.life;
    used_ = now.point;
    for (auto& [client, call] : calls_) send_call(call);
}

Caller::Calls::iterator Caller::find(CallId const& id) {
    return std::ranges::find_if(calls_, [&](auto const& call) { return call.second.id == id; });
}

void Caller::on(CallState const& message, Moment now) {
    auto const found = find(message.id);
    if (found == calls_.end()) return;
    auto& call = found->second;
    if (is_final(message.phase)) {
        bool const whole = call.output.ended() && call.errors.ended();
        if (message.phase != CallPhase::ended || whole) return end(found, end_of(message), now);
        return end(found, {static_cast<std::uint64_t>(exit_status(Fault::failed)), "a part of the output was lost"},
                   now);
    }
    bool const begins = message.phase == CallPhase::running && call.phase != CallPhase::running;
    call.phase = message.phase;
    if (!message.text.empty() && !call.gone) ports_.progress(found->first, message.text);
    if (!begins) return;
    give_credit(call, CallStream::out);
    give_credit(call, CallStream::err);
    if (call.input_ended) ports_.send(CallData{call.id, CallStream::in, call.input.sent(), true}, {});
}

void Caller::on(CallData const& message, View payload, Moment now) {
    auto const found = find(message.id);
    if (found == calls_.end() || message.stream == CallStream::in) return;
    auto& call = found->second;
    if (!call.flow(message.stream).accept(message.offset, Bytes(payload.size())))
        return drop_session("the broker sent output that does not fit", now);
    if (message.last) call.flow(message.stream).end();
    if (payload.empty()) return;
    if (!call.gone) return ports_.output(found->first, message.stream, payload);
    call.flow(message.stream).took(Bytes(payload.size()));
    give_credit(call, message.stream);
}

void Caller::on(CallCredit const& message) {
    auto const found = find(message.id);
    if (found == calls_.end() || message.stream != CallStream::in) return;
    if (found->second.input.permit(message.permitted)) ports_.more_input(found->first);
}

void Caller::end(Calls::iterator call, LocalEnd end, Moment now) {
    auto const client = call->first;
    bool const gone = call->second.gone;
    calls_.erase(call);
    used_ = now.point;
    if (!gone) ports_.end(client, std::move(end));
}

// ---- time ----

void Caller::on_time(Moment now) {
    switch (session_) {
        case Session::closed: return;
        case Session::connecting:
        case Session::greeting:
            if (now.point - since_ >= times_.answer) drop_session("the broker does not answer", now);
            return;
        case Session::open: break;
    }
    if (calls_.empty()) {
        if (now.point - used_ >= times_.idle) drop_session("idle", now);
        return;
    }
    if (now.point - heard_ >= times_.dead) return drop_session("the broker does not answer any more", now);
    if (now.point - std::max(heard_, pinged_) < times_.ping) return;
    pinged_ = now.point;
    ports_.send(Ping{}, {});
}

std::optional<TimePoint> Caller::wake() const {
    switch (session_) {
        case Session::closed: return std::nullopt;
        case Session::connecting:
        case Session::greeting: return since_ + times_.answer;
        case Session::open: break;
    }
    if (calls_.empty()) return used_ + times_.idle;
    return std::min(heard_ + times_.dead, std::max(heard_, pinged_) + times_.ping);
}

}  // namespace lull::subscriber
