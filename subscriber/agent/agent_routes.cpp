#include "subscriber/agent/agent.hpp"

// Which event, and which message of the broker, is for whom.

namespace lull::subscriber {

// ---- the broker ----

void Agent::on_event(AnnouncementHeard const& event, Moment now) {
    if (Dispatch::announcement(*this, event.message, now)) return;
    effects_.log(LogLevel::warn, fmt::format("{} came on the announce channel, where it does not belong: it is ignored",
                                             to_text(type_of(event.message))));
}

void Agent::on_event(MessageHeard const& event, Moment now) {
    session_.heard(event.message, now);
    if (Dispatch::message(*this, event.message, {event.payload, event.came}, now)) return;
    effects_.log(LogLevel::warn, fmt::format("{} came from the broker, and is not for nodes: it is ignored",
                                             to_text(type_of(event.message))));
}

void Agent::on_event(ExchangeReady const&, Moment now) { session_.ready(hello(now.wall), now); }

void Agent::on_event(ExchangeLost const& event, Moment now) { session_.lost(event, now); }

void Agent::on_message(Welcome const& message, Arrival const&, Moment now) {
    if (!session_.welcomed(now)) return;
    objects_.session_begins();
    auto const note = message.note.value_or("");
    if (!note.empty() && note != note_) effects_.log(LogLevel::warn, note);
    note_ = note;
    if (message.wanted) report_wanted(*message.wanted);
    reports_.send_again();
    for (auto& [software, update] : updates_) update.acquisition().ask_again(Acquisition::Session::fresh);
    log_.welcomed(message, known(), now);
    if (!executor_) return;
    if (std::exchange(serving_, true)) executor_->session_ended();  // of the one before
    executor_->session_began();
}

void Agent::on_message(Busy const& message, Arrival const&, Moment now) { session_.on(message, now); }
void Agent::on_message(Refused const& message, Arrival const&, Moment now) { session_.on(message, now); }
void Agent::on_message(Queued const& message, Arrival const&, Moment now) { session_.on(message, now); }
void Agent::on_message(Grant const& message, Arrival const&, Moment now) { session_.on(message, now); }
void Agent::on_message(Ping const& message, Arrival const& arrival, Moment) { session_.on(message, arrival.came); }
void Agent::on_message(Pong const&, Arrival const&, Moment) {}  // the session has noted that it came

// A broker sends these only to a session that has sent SERVE or CALL.
void Agent::on_message(CallOffer const& message, Arrival const&, Moment now) {
    if (!serving_) return;
    session_.useful(now);
    executor_->on(message);
}
void Agent::on_message(CallGo const& message, Arrival const&, Moment) {
    if (serving_) executor_->on(message);
}
void Agent::on_message(CallData const& message, Arrival const& arrival, Moment) {
    if (serving_) executor_->on(message, arrival.payload);
}
void Agent::on_message(CallCredit const& message, Arrival const&, Moment) {
    if (serving_) executor_->on(message);
}
void Agent::on_message(CallCancel const& message, Arrival const&, Moment) {
    if (serving_) executor_->on(message);
}
// Calls of this node have a session of their own.
void Agent::on_message(CallState const&, Arrival const&, Moment) {}

// ---- the log, orders, reports ----

void Agent::on_announced(Update const& message, Moment now) { record(log_.announced(message, known(), now), now); }
void Agent::on_announced(Head const& message, Moment now) { log_.heard(message, orders_.revisions().all, now); }
void Agent::on_announced(Orders const& message, Moment now) { orders_.announced(message, log_.spread(), now); }

void Agent::on_message(Update const& message, Arrival const&, Moment now) {
    record(log_.heard(message, known(), now), now);
}
void Agent::on_message(Head const& message, Arrival const&, Moment now) {
    log_.heard(message, orders_.revisions().all, now);
}
void Agent::on_message(LogPage const& message, Arrival const&, Moment now) {
    record(log_.heard(message, known(), now), now);
}
void Agent::on_message(Snapshot const& message, Arrival const&, Moment now) {
    record(log_.heard(message, known(), now), now);
}
void Agent::on_message(Orders const& message, Arrival const&, Moment now) {
    orders_.heard(message, log_.spread(), now);
}
void Agent::on_message(ReportAck const& message, Arrival const&, Moment now) { reports_.on(message, now); }

// ---- objects and patches ----

void Agent::on_message(Data const& message, Arrival const& arrival, Moment now) { objects_.on(message, arrival, now); }
void Agent::on_message(ObjectMissing const& message, Arrival const&, Moment now) { objects_.on(message, now); }

void Agent::on_message(PatchOffer const& message, Arrival const&, Moment now) {
    auto const found = updates_.find(message.software);
    if (found != updates_.end() && found->second.on(message, now)) session_.useful(now);
}

void Agent::on_event(ObjectSynced const& event, Moment) { objects_.on(event); }
void Agent::on_event(ObjectFinished const& event, Moment now) { objects_.on(event, now); }
void Agent::on_event(ObjectUnwritten const& event, Moment now) { objects_.on(event, now); }

// ---- the shell's work for one software ----

void Agent::on_event(PlanMade const& event, Moment now) { update(event.release.software).on(event, now); }
void Agent::on_event(StageEnded const& event, Moment now) { update(event.release.software).on(event, now); }
void Agent::on_event(UseFound const& event, Moment now) { update(event.software).on(event, now); }
void Agent::on_event(UseMayHaveEnded const& event, Moment now) { update(event.software).on(event, now); }
void Agent::on_event(HoldersTold const& event, Moment now) { update(event.software).on(event, now); }
void Agent::on_event(UseEnded const& event, Moment now) { update(event.software).on(event, now); }
void Agent::on_event(UseStarted const& event, Moment now) { update(event.software).on(event, now); }
void Agent::on_event(HealthFound const& event, Moment now) { update(event.release.software).on(event, now); }
void Agent::on_event(HookEnded const& event, Moment now) { update(event.release.software).on(event, now); }
void Agent::on_event(SwitchEnded const& event, Moment now) { update(event.release.software).on(event, now); }
void Agent::on_event(RoomMade const& event, Moment now) { room_.on(event, now); }
void Agent::on_event(TreesScanned const& event, Moment now) { update(event.software).on(event, now); }

// ---- the rest ----

void Agent::on_event(BatchDone const& event, Moment now) { effects_.durable(event, now); }

void Agent::on_event(HoldsRead const& event, Moment now) {
    rules_.set(event.holds);
    rules_changed({}, now);
}

void Agent::on_event(CallHappened const& event, Moment) {
    if (executor_) executor_->on(event.event);
}

void Agent::on_event(Tick const&, Moment) {}  // what is due is done after every event

}  // namespace lull::subscriber
