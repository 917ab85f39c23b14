#include <algorithm>

#include "core/byte_rate.hpp"
#include "subscriber/agent.hpp"

// The agent's talk with the broker: the session, objects, reports. What a release goes through is in agent.cpp, the log in
// agent_log.cpp.

namespace lull::subscriber {

namespace {

// By a clock that never goes back, whatever its origin.
std::uint64_t micros_of(TimePoint when) {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(when.time_since_epoch()).count());
}

}  // namespace

// ---- the session ----

void Agent::on_event(ExchangeReady, Moment now) {
    link_.ready(now.point);
    send(Hello{settings_.node, settings_.architecture, settings_.program, settings_.boot, recorded_.epoch, recorded_.seq, recorded_orders_,
               recorded_own_orders_});
}

void Agent::on_event(ExchangeLost event, Moment now) {
    if (link_.state() == Link::State::closed) return;
    say(LogLevel::debug, fmt::format("exchange lost: {}", event.why));
    link_.lost(now.point);
    out_.push_back(CloseExchange{});
}

void Agent::on_event(MessageHeard event, Moment now) {
    link_.heard(now.point);
    if (!std::holds_alternative<Ping>(event.message) && !std::holds_alternative<Pong>(event.message)) link_.spoke(now.point);
    if (auto const* data = std::get_if<Data>(&event.message)) return on_message(*data, event, now);
    if (auto const* ping = std::get_if<Ping>(&event.message)) return send(Pong{ping->nonce, micros_of(event.came)});
    std::visit(
        [&](auto const& message) {
            if constexpr (requires { on_message(message, now); }) {
                on_message(message, now);
            } else if constexpr (!std::is_same_v<std::remove_cvref_t<decltype(message)>, Pong>) {
                say(LogLevel::warn, fmt::format("{} is not for nodes", to_text(type_of(event.message))));
            }
        },
        event.message);
}

void Agent::on_message(Welcome const& message, Moment now) {
    if (link_.state() != Link::State::greeting) return;
    link_.welcomed(now.point);
    fetcher_.session_begins();
    sync_owed_ = false;
    snapshot_.reset();
    testified_ = false;
    for (auto const& [software, report] : state_.outbox) unsaid_.insert(software);
    ask_plans_again(Session::fresh);
    hear_of(message.epoch, message.head, Duration::zero(), now);
    if (message.epoch == state_.cursor.epoch) testify(message.head);
}

void Agent::on_message(Queued const& message, Moment now) {
    link_.moved(now.point);
    say(LogLevel::info, fmt::format("waiting for the broker: number {} in the queue, {}", message.position, message.reason));
    out_.push_back(ShowFlow{fmt::format("number {} in the broker's queue: {}", message.position, message.reason)});
}

// Only where nothing is to flow is it right that nothing comes.
void Agent::on_message(Grant const& message, Moment now) {
    if (message.rate == 0) link_.moved(now.point);
    auto const rate = to_text(ByteRate(static_cast<double>(message.rate)));
    if (message.reason.empty()) return out_.push_back(ShowFlow{rate});
    say(LogLevel::info, fmt::format("the broker sends slowly: {}", message.reason));
    out_.push_back(ShowFlow{fmt::format("{}: {}", rate, message.reason)});
}

void Agent::on_message(Busy const& message, Moment now) {
    link_.lost(now.point);
    link_.busy(now.point + std::chrono::milliseconds(std::min<std::uint64_t>(message.retry_after, 3'600'000)));
    out_.push_back(CloseExchange{});
}

void Agent::on_message(Refused const& message, Moment now) {
    say(LogLevel::warn, fmt::format("the broker refused: {}", message.text));
    link_.lost(now.point);
    out_.push_back(CloseExchange{});
}

void Agent::on_message(Noted const& message, Moment now) {
    auto const found = state_.outbox.find(message.software);
    if (found == state_.outbox.end() || found->second.revision != message.revision) return;
    link_.useful(now.point);
    state_.outbox.erase(found);
    unsaid_.erase(message.software);
    persist({journal::drop_report(message.software)}, [](Moment) {});
}

// ---- objects ----

void Agent::on_message(Data const& message, MessageHeard const& event, Moment now) {
    auto const payload = event.payload;
    auto const decision = fetcher_.data(message, payload);
    auto ack = fetcher_.ack();
    ack.at = micros_of(event.came);
    send(std::move(ack));
    link_.moved(now.point);
    switch (decision.verdict) {
        case Fetcher::Verdict::ignore: return;
        case Fetcher::Verdict::store:
            link_.useful(now.point);
            if (message.offset.zero() && payload < message.shape.stored) record_beginning(message.shape);
            return out_.push_back(StoreFrame{message.shape, message.offset, decision.then});
        case Fetcher::Verdict::broken:
            say(LogLevel::warn, fmt::format("the broker sent bytes of object {} that do not fit", message.shape.object.hex()));
            link_.lost(now.point);
            return out_.push_back(CloseExchange{});
    }
}

// Whoever finds its bytes after a kill knows by the record what they are of.
void Agent::record_beginning(ObjectShape const& shape) {
    ObjectRecord const record{shape, Bytes(), false};
    state_.objects[shape.object] = record;
    persist({journal::put(record)}, [](Moment) {});
}

// It may have the object in another shape, of which there is no such offset: then the next try begins at the first byte.
void Agent::on_message(Absent const& message, Moment now) {
    if (fetcher_.complete(message.object)) return;
    if (fetcher_.knows(message.object)) drop({message.object}, [](Moment) {});
    not_to_be_had(message.object, Error{Fault::not_found, fmt::format("the broker does not have object {}", message.object.hex())}, now);
}

void Agent::on_event(ObjectSynced event, Moment) {
    auto const record = fetcher_.synced(event.object, event.upto);
    if (!record) return;
    state_.objects[event.object] = *record;
    persist({journal::put(*record)}, [](Moment) {});
}

void Agent::on_event(ObjectFinished event, Moment now) {
    if (!event.status) {
        drop({event.object}, [](Moment) {});
        return not_to_be_had(event.object, event.status.error(), now);
    }
    auto const record = fetcher_.finished(event.object);
    if (!record) return;
    state_.objects[event.object] = *record;
    persist({journal::put(*record)}, [this, object = event.object](Moment then) {
        for (auto const& software : fetcher_.wanted_by(object)) {
            auto const phase = state_.software.at(software).phase;
            if (phase == Phase::announced || phase == Phase::fetching) pursue(software, then);
            if (work_.at(software).mending && fetcher_.has_all(software)) scan(software, then);
        }
    });
}

void Agent::on_event(ObjectUnwritten event, Moment now) {
    fetcher_.forget(event.object);
    auto const known = state_.objects.find(event.object);
    if (known != state_.objects.end()) fetcher_.load({*known});
    bool const has_begun = known != state_.objects.end() && !known->second.durable.zero();
    if (!has_begun) out_.push_back(DropObjects{{event.object}});  // on a disk that is full, what is of no use must not stay
    give_up_wanting(event.object, event.error, now);
}

// What may be a delta, or the patch itself, is tried without it once; whatever it is.
void Agent::not_to_be_had(Digest const& object, Error const& error, Moment now) {
    for (auto const& software : fetcher_.wanted_by(object)) {
        auto const& work = work_.at(software);
        auto const phase = state_.software.at(software).phase;
        bool const planning = !work.busy && (phase == Phase::announced || phase == Phase::fetching);
        if (planning && patch_in_use(software) && !work.patch.useless.contains(object)) go_without(software, object, error, now);
    }
    give_up_wanting(object, error, now);
}

void Agent::give_up_wanting(Digest const& object, Error const& error, Moment now) {
    for (auto const& software : fetcher_.wanted_by(object)) {
        if (!work_.at(software).mending) {
            give_up(software, error, now);
            continue;
        }
        say(LogLevel::error, fmt::format("{} cannot be put right: {}; it is tried again", software.text(), error.message));
        end_mending(software);
    }
}

// ---- speaking ----

Link::Need Agent::need() const {
    bool const searching = std::ranges::any_of(work_, [](auto const& entry) {
        auto const state = entry.second.patch.state;
        return state == PatchSearch::State::asked || state == PatchSearch::State::promised;
    });
    return {fetcher_.anything_missing() || searching || !state_.outbox.empty(),
            fetcher_.waiting_for_data() || sync_owed_ || plan_owed() || !state_.outbox.empty(), fetcher_.waiting_for_data()};
}

void Agent::say_reports(Moment now) {
    for (auto const& software : unsaid_) {
        auto const found = state_.outbox.find(software);
        if (found == state_.outbox.end() || found->second.revision != saved_[software]) continue;  // not durable yet
        asked_at_ = now.point;
        send(found->second);
    }
    unsaid_.clear();
}

// Ends every turn: opens, feeds, pings, gives up or closes the exchange as things stand.
void Agent::keep_exchange_going(Moment now) {
    if (link_.open()) {
        if (now.point - asked_at_ >= settings_.link.answer) {  // lost on the way: say it again
            asked_at_ = now.point;
            sync_owed_ = false;
            snapshot_.reset();
            for (auto const& [software, report] : state_.outbox) unsaid_.insert(software);
            ask_plans_again(Session::same);
        }
        if (link_.catching_up(now.point) && !sync_owed_) {
            sync_owed_ = true;
            asked_at_ = now.point;
            send(Sync{state_.cursor.epoch, state_.cursor.seq, snapshot_ ? snapshot_->rest : std::nullopt, state_.orders.revision,
                      state_.own_orders.revision});
        }
        if (!unsaid_.empty()) {
            say_reports(now);
            link_.spoke(now.point);
        }
        ask_plans(now);
        for (auto& request : fetcher_.requests()) {
            link_.moved(now.point);
            send(std::move(request));
        }
        if (fetcher_.anything_missing()) {
            if (auto credit = fetcher_.credit_due()) send(*credit);
        }
    }
    switch (link_.advise(need(), now.point)) {
        case Link::Advice::nothing: return;
        case Link::Advice::open: {
            link_.opening(now.point);
            return out_.push_back(OpenExchange{});
        }
        case Link::Advice::give_up: {
            link_.lost(now.point);
            return out_.push_back(CloseExchange{});
        }
        case Link::Advice::ping: {
            link_.pinged(now.point);
            return send(Ping{});
        }
        case Link::Advice::close: {
            link_.closed(now.point);
            return out_.push_back(CloseExchange{});
        }
    }
}

}  // namespace lull::subscriber
