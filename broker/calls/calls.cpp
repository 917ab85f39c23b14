#include "broker/calls/calls.hpp"

#include <algorithm>

#include "core/text.hpp"

namespace lull::broker {

namespace {

constexpr Duration ping_after = std::chrono::seconds(5);

NodeName name_of_peer(Peers const& peers, PeerKey const& key) {
    auto const* const peer = peers.find(key);
    auto const name = peer == nullptr ? Result<NodeName>(fail(Fault::not_found, "")) : NodeName::parse(peer->name);
    return name ? *name : NodeName();
}

std::string line_about(CallRecord const& record) {
    auto const& request = record.request;
    return fmt::format("call {} of {}: {} {} {} on {}", to_hex(request.id), record.caller_name.text(),
                       request.software.text(), record.version.text(), request.program,
                       record.state.executor ? record.state.executor->text() : "no executor");
}

std::string line_about_end(CallRecord const& record) {
    auto const& state = record.state;
    auto line = fmt::format("{}: {}", line_about(record), to_text(state.phase));
    if (state.result && state.result->status) line += fmt::format(", status {}", *state.result->status);
    if (state.result && state.result->signal) line += fmt::format(", signal {}", *state.result->signal);
    if (state.reason) line += fmt::format(", {}: {}", to_text(*state.reason), state.text);
    return line;
}

}  // namespace

Calls::Calls(Parts parts, CallSettings const& settings, Effects& effects)
    : parts_(parts),
      settings_(settings),
      effects_(effects),
      table_(settings),
      admission_({parts.log, table_, executors_}, settings),
      relay_(table_, settings, effects) {}

// ---- sessions ----

void Calls::serve(SessionId session, PeerKey const& node, Serve const& message, Moment now) {
    Executors::Executor executor;
    executor.node = node;
    executor.name = name_of_peer(parts_.peers, node);
    executor.software = {message.software.begin(), message.software.end()};
    executor.slots = message.slots;
    if (!executors_.set(session, executor, settings_.executors)) {
        return effects_.refuse(session, Refusal::invalid,
                               fmt::format("this broker has {} executors, the most that it may", settings_.executors));
    }
    place_waiting(now);
}

void Calls::open(SessionId session, PeerKey const& node, Moment now) {
    if (!opened_.contains(session) && opened_by_[node] >= settings_.sessions) {
        effects_.send(session, Busy{1000});
        auto const text = fmt::format("it has {} sessions for calls, the most that it may", settings_.sessions);
        return parts_.sessions.end(session, text, now);
    }
    if (opened_.emplace(session, node).second) ++opened_by_[node];
    effects_.send(session, Welcome{parts_.log.epoch(), parts_.log.head(), now.wall, settings_.life});
}

void Calls::session_ended(SessionId session, Moment now) {
    if (auto const opened = opened_.extract(session); !opened.empty()) {
        auto const count = opened_by_.find(opened.mapped());
        if (--count->second == 0) opened_by_.erase(count);
    }
    auto const name = name_of(session);
    for (auto const number : executors_.remove(session)) {
        leaving_.erase({session, number});
        auto* const record = table_.find(number);
        if (record == nullptr || is_final(record->state.phase) || record->executor != session) continue;
        CallCause const lost{CallReason::executor_lost, fmt::format("the broker lost the executor {}", name)};
        if (record->went) {
            finish(*record, CallPhase::unknown, lost, Executor::is_free, now);
        } else {
            not_by(*record, lost, now);
        }
    }
    auto const called = callers_.extract(session);
    if (called.empty()) return;
    for (auto const number : called.mapped()) {
        auto* const record = table_.find(number);
        if (is_final(record->state.phase)) continue;  // it found no executor when one before it was stopped
        record->session.reset();
        stop(*record, {CallReason::caller_lost, "the broker lost the connection to the caller"}, now);
    }
}

// ---- a call comes ----

void Calls::call(SessionId session, PeerKey const& node, Call message, Moment now) {
    if (answer_again(session, node, message)) return;
    auto cause = admission_.complete(message);
    if (!cause) cause = admission_.take_room(message, node, waiting_for(message.software), now.point);
    if (cause) return refuse(session, node, message.id, std::move(*cause));
    CallRecord record;
    record.caller = node;
    record.caller_name = name_of_peer(parts_.peers, node);
    record.session = session;
    record.version = parts_.log.at(message.seq)->info.version;
    record.request = std::move(message);
    record.asked = now.wall;
    record.asked_at = now.point;
    auto& added = table_.add(std::move(record));
    callers_[session].insert(added.number);
    place(added, {CallReason::no_executor, ""}, now);
}

bool Calls::answer_again(SessionId session, PeerKey const& node, Call const& message) {
    auto const& id = message.id;
    auto const unknown = [&](std::string_view why) {
        auto text = fmt::format("{}: whether this call ran is unknown, and it is not repeated", why);
        answer(session, id, CallPhase::unknown, {CallReason::other_life, std::move(text)});
        return true;
    };
    if (message.life != settings_.life) return unknown("the broker was restarted since");
    if (auto const* const known = table_.find(id)) {
        if (known->caller == node) {
            effects_.send(session, known->state);
        } else {
            answer(session, id, CallPhase::refused, {CallReason::invalid, "another node has used this id"});
        }
        return true;
    }
    if (auto const reason = table_.past().refused(node, id)) {
        answer(session, id, CallPhase::refused, {*reason, "it was refused before; a new call needs a new id"});
        return true;
    }
    return table_.past().forgotten(node, id) && unknown("the broker does not remember it");
}

void Calls::refuse(SessionId session, PeerKey const& node, CallId const& id, CallCause cause) {
    table_.past().refuse(node, id, cause.reason);
    answer(session, id, CallPhase::refused, std::move(cause));
}

void Calls::answer(SessionId session, CallId const& id, CallPhase phase, CallCause cause) {
    effects_.send(session, CallState{id, phase, std::nullopt, cause.reason, std::move(cause.text), std::nullopt});
}

// ---- which executor ----

void Calls::place(CallRecord& record, CallCause const& otherwise, Moment now) {
    auto const& software = record.request.software;
    if (auto const executor = executors_.least_loaded(software, record.tried)) {
        waiting_.erase(record.number);
        return offer(record, *executor, now);
    }
    if (executors_.serves(software, record.tried)) {
        if (!waiting_.insert(record.number).second) return;
        record.state.phase = CallPhase::queued;
        record.state.executor.reset();
        record.state.text = fmt::format("number {} of the calls that wait for {}", waiting_for(software),
                                        software.text());
        record.deadline = now.point + settings_.queue_time;
        return tell(record);
    }
    waiting_.erase(record.number);
    auto text = fmt::format("no further node serves {}", software.text());
    if (!otherwise.text.empty()) text = fmt::format("{}; {}", otherwise.text, text);
    finish(record, CallPhase::refused, {otherwise.reason, std::move(text)}, Executor::is_free, now);
}

void Calls::offer(CallRecord& record, SessionId session, Moment now) {
    auto const* const release = parts_.log.at(record.request.seq);
    if (release == nullptr) {  // it was removed from the log meanwhile
        CallCause const cause{CallReason::no_release, "the broker does not have this release any more"};
        return finish(record, CallPhase::refused, cause, Executor::is_free, now);
    }
    executors_.take(session, record.number);
    auto const& request = record.request;
    record.executor = session;
    record.state.phase = CallPhase::preparing;
    record.state.executor = executors_.find(session)->name;
    record.state.text.clear();
    record.deadline = now.point + settings_.prepare_time;
    effects_.send(session, CallOffer{request.id, record.caller_name, release->entry, request.program, request.arguments,
                                     request.limits});
    tell(record);
}

// In the order in which they came. Software for which one call found no slot is passed over.
void Calls::place_waiting(Moment now) {
    std::set<SoftwareName> full;
    for (auto const number : std::set(waiting_)) {
        auto* const record = table_.find(number);
        if (!waiting_.contains(number) || full.contains(record->request.software)) continue;
        bool const is_first_try = record->tried.empty();
        place(*record, {CallReason::no_executor, ""}, now);
        if (is_first_try && waiting_.contains(number)) full.insert(record->request.software);
    }
}

void Calls::not_by(CallRecord& record, CallCause const& cause, Moment now) {
    LULL_INVARIANT(!record.went && record.executor);
    record.tried.insert(*record.executor);
    record.executor.reset();
    record.state.executor.reset();
    place(record, cause, now);
}

// ---- the life of a call ----

void Calls::ready(SessionId session, CallReady const& message, Moment now) {
    auto* const record = table_.find(message.id);
    bool const is_its_executor = record != nullptr && record->executor == session;
    if (is_its_executor && record->went) return;  // a repetition: one CALL-GO is enough
    if (is_its_executor && record->state.phase == CallPhase::preparing) return begin(*record, now.point);
    effects_.send(session, CallCancel{message.id, record == nullptr ? std::nullopt : record->state.reason});
}

void Calls::begin(CallRecord& record, TimePoint now) {
    LULL_INVARIANT(!record.went);
    record.went = true;
    record.state.phase = CallPhase::running;
    record.deadline = now + settings_.start_time;
    record.request.arguments = {};
    effects_.send(*record.executor, CallGo{record.request.id});
    relay_.begin(record);
}

void Calls::state(SessionId session, CallState const& message, Moment now) {
    auto* const record = table_.find(message.id);
    if (record == nullptr || executors_.find(session) == nullptr) return;
    bool const is_live = record->executor == session && !is_final(record->state.phase);
    if (!is_live) {  // it was told to stop, and answers
        if (!is_final(message.phase)) return;
        leave_slot(session, record->number);
        return place_waiting(now);
    }
    if (!record->went && message.phase == CallPhase::refused) {
        auto const cause = CallCause{message.reason.value_or(CallReason::not_prepared),
                                     fmt::format("{}: {}", name_of(session), message.text)};
        executors_.release(session, record->number);
        not_by(*record, cause, now);
        return place_waiting(now);
    }
    if (!record->went) return broken(*record, "the executor began before it was told to", now);
    switch (message.phase) {
        case CallPhase::running:
            if (std::exchange(record->begun, true)) return;
            if (!record->stopping)
                record->deadline = now.point + std::chrono::seconds(record->request.limits.time.value_or(0)) +
                                   settings_.stop_time;
            return tell(*record);
        case CallPhase::ended:
            if (!message.result) return broken(*record, "the executor gave no result", now);
            [[fallthrough]];
        case CallPhase::refused:
        case CallPhase::unknown: {
            auto end = message;
            if (end.phase != CallPhase::ended && !end.reason) end.reason = CallReason::not_started;
            return finish(*record, std::move(end), Executor::is_free, now);
        }
        case CallPhase::queued:
        case CallPhase::preparing: return;
    }
}

void Calls::cancel(PeerKey const& node, CallCancel const& message, Moment now) {
    auto* const record = table_.find(message.id);
    if (record == nullptr || record->caller != node || is_final(record->state.phase)) return;
    stop(*record, {CallReason::cancelled, "the caller cancelled the call"}, now);
}

// Before CALL-GO the call ends here and now. After it the executor answers how the program ended.
void Calls::stop(CallRecord& record, CallCause const& cause, Moment now) {
    if (!record.went) return finish(record, CallPhase::refused, cause, Executor::has_to_stop, now);
    if (record.stopping) return;
    record.stopping = cause.reason;
    record.deadline = now.point + settings_.stop_time;
    effects_.send(*record.executor, CallCancel{record.request.id, cause.reason});
}

void Calls::finish(CallRecord& record, CallPhase phase, CallCause const& cause, Executor executor, Moment now) {
    finish(record, CallState{record.request.id, phase, std::nullopt, cause.reason, cause.text, std::nullopt}, executor,
           now);
}

void Calls::finish(CallRecord& record, CallState end, Executor executor, Moment now) {
    end.executor = record.state.executor;
    if (record.stopping && !end.reason) end.reason = record.stopping;
    record.state = std::move(end);
    tell(record);
    effects_.say(LogLevel::info, line_about_end(record));
    waiting_.erase(record.number);
    admission_.release(record.caller);
    if (record.session) {
        auto const calls = callers_.find(*record.session);
        if (calls != callers_.end() && calls->second.erase(record.number) > 0 && calls->second.empty())
            callers_.erase(calls);
    }
    table_.end(record, now.point);
    if (!record.executor) return;
    if (executor == Executor::is_free) {
        executors_.release(*record.executor, record.number);
        return place_waiting(now);
    }
    leaving_[{*record.executor, record.number}] = now.point + settings_.stop_time;
    effects_.send(*record.executor, CallCancel{record.request.id, record.state.reason});
}

void Calls::broken(CallRecord& record, std::string_view what, Moment now) {
    if (auto const* const executor = executors_.find(*record.executor))
        parts_.complaints.about(executor->node, fmt::format("{}: {}", line_about(record), what));
    finish(record, CallPhase::unknown, {CallReason::broken_flow, std::string(what)}, Executor::has_to_stop, now);
}

// ---- bytes ----

void Calls::data(SessionId session, CallData const& message, Buffer payload, Moment now) {
    auto* const record = table_.find(message.id);
    if (record == nullptr || !record->went || is_final(record->state.phase)) return;  // late: the call is over
    bool const is_input = message.stream == CallStream::in;
    if ((is_input ? record->session : record->executor) != session) return;
    if (relay_.pass(*record, message, std::move(payload))) return;
    auto const text = fmt::format("bytes of {} that no credit allows, or at the wrong offset", to_text(message.stream));
    if (!is_input) return broken(*record, text, now);
    parts_.complaints.about(record->caller, fmt::format("{}: {}", line_about(*record), text));
    finish(*record, CallPhase::unknown, {CallReason::broken_flow, text}, Executor::has_to_stop, now);
}

void Calls::credit(SessionId session, CallCredit const& message) {
    auto* const record = table_.find(message.id);
    if (record == nullptr || is_final(record->state.phase)) return;
    auto const receiver = message.stream == CallStream::in ? record->executor : record->session;
    if (receiver == session) relay_.permit(*record, message);
}

// ---- time ----

void Calls::tick(Moment now) {
    for (auto const number : std::set(table_.live())) {
        auto* const record = table_.find(number);
        if (!is_final(record->state.phase) && now.point >= record->deadline) overdue(*record, now);
    }
    bool freed = false;
    for (auto const& [slot, when] : std::map(leaving_)) {
        if (now.point < when) continue;
        leave_slot(slot.first, slot.second);
        freed = true;
    }
    if (freed) place_waiting(now);
    for (auto const& [session, calls] : std::map(callers_))
        parts_.sessions.ping_if_quiet(session, ping_after, now.point);
    for (auto const& [session, executor] : executors_.all()) {
        if (!executor.calls.empty()) parts_.sessions.ping_if_quiet(session, ping_after, now.point);
    }
    table_.forget_old(now.point);
    admission_.forget_idle(now.point);
}

void Calls::overdue(CallRecord& record, Moment now) {
    auto const executor = record.executor ? name_of(*record.executor) : std::string();
    switch (record.state.phase) {
        case CallPhase::queued: {
            auto text = fmt::format("it waited {} for a free slot, the longest that it may",
                                    to_text(settings_.queue_time));
            return finish(record, CallPhase::refused, {CallReason::queue_time, std::move(text)}, Executor::is_free,
                          now);
        }
        case CallPhase::preparing: {
            auto const session = *record.executor;
            effects_.send(session, CallCancel{record.request.id, CallReason::not_prepared});
            leaving_[{session, record.number}] = now.point + settings_.stop_time;
            auto text = fmt::format("{} did not prepare it within {}", executor, to_text(settings_.prepare_time));
            return not_by(record, {CallReason::not_prepared, std::move(text)}, now);
        }
        case CallPhase::running: break;
        default: return;
    }
    if (record.stopping) {
        auto text = fmt::format("{} was told to stop it and did not answer", executor);
        return finish(record, CallPhase::unknown, {*record.stopping, std::move(text)}, Executor::has_to_stop, now);
    }
    if (!record.begun) {
        auto text = fmt::format("{} was told to begin and did not answer", executor);
        return finish(record, CallPhase::unknown, {CallReason::not_started, std::move(text)}, Executor::has_to_stop,
                      now);
    }
    stop(record, {CallReason::time_limit, ""}, now);
}

// ---- small things ----

void Calls::tell(CallRecord const& record) {
    if (record.session) effects_.send(*record.session, record.state);
}

void Calls::leave_slot(SessionId session, CallNumber call) {
    leaving_.erase({session, call});
    executors_.release(session, call);
}

std::string Calls::name_of(SessionId executor) const {
    auto const* const found = executors_.find(executor);
    return found == nullptr ? std::string("an executor") : found->name.text();
}

std::size_t Calls::waiting_for(SoftwareName const& software) const {
    // At most `live` of them.
    return static_cast<std::size_t>(std::ranges::count_if(
        waiting_, [&](CallNumber number) { return table_.records().at(number).request.software == software; }));
}

}  // namespace lull::broker
