#include <algorithm>

#include "subscriber/agent.hpp"

// The agent's talk with the broker: what is announced, the log, objects, reports. What a release goes through is in agent.cpp.

namespace lull::subscriber {

// ---- announcements and the log ----

void Agent::on_event(AnnouncementHeard event, Moment now) {
    if (auto const* update = std::get_if<Update>(&event.message)) return on_message(*update, now);
    if (auto const* head = std::get_if<Head>(&event.message)) return on_message(*head, now);
    say(LogLevel::warn, fmt::format("{} does not belong on the announce channel", to_text(type_of(event.message))));
}

void Agent::on_message(Update const& message, Moment now) {
    if (!same_log(message.epoch)) return;
    if (message.entry.prev > state_.cursor.seq) return fall_behind(message.entry.seq, now);
    record(message.epoch, {message.entry}, now);
}

void Agent::on_message(Head const& message, Moment now) {
    if (!same_log(message.epoch)) return;
    spread_ = std::chrono::milliseconds(std::min<std::uint64_t>(message.spread, 600'000));
    if (message.head > state_.cursor.seq) fall_behind(message.head, now);
}

// Something was missed: ask for it, not all nodes at the same moment.
void Agent::fall_behind(Seq head, Moment now) {
    head_ = std::max(head_, head);
    link_.gap(now.point, spread_);
}

// A node belongs to one log. If the broker's log is another one, nothing is installed from it: it may hold less than we have.
bool Agent::same_log(Epoch epoch) {
    if (state_.cursor.epoch == Epoch{} || state_.cursor.epoch == epoch) {
        epoch_complained_ = false;
        return true;
    }
    if (!epoch_complained_) {
        say(LogLevel::error, "the broker has another log than the one this node knows (was it set up anew?); nothing is installed from "
                             "it. Join this node again with a new bundle and an empty .lull/journal to accept it");
    }
    epoch_complained_ = true;
    return false;
}

void Agent::on_message(LogPage const& message, Moment now) {
    if (!sync_owed_) return;
    sync_owed_ = false;
    if (!same_log(message.epoch)) return;
    link_.useful(now.point);
    head_ = std::max(head_, message.head);
    if (message.from <= state_.cursor.seq) record(message.epoch, message.entries, now);
    link_.no_gap();
    bool const progress = !message.entries.empty() && state_.cursor.seq >= message.entries.back().seq;
    if (progress && state_.cursor.seq < head_) link_.gap(now.point, Duration::zero());  // the next page; else the next HEAD tells
}

// Entries that follow the cursor become durable: cursor and records in one batch, before anything else happens with them.
void Agent::record(Epoch epoch, std::vector<LogEntry> const& entries, Moment now) {
    std::vector<SoftwareName> fresh;
    auto const before = state_.cursor;
    for (auto const& entry : entries) {
        if (entry.seq <= state_.cursor.seq) continue;        // known already
        if (entry.prev > state_.cursor.seq) break;           // a gap: the rest is asked for
        record_entry(entry, fresh, now);
        state_.cursor = {epoch, entry.seq};
    }
    if (state_.cursor.seq >= head_) link_.no_gap();
    if (state_.cursor == before) return;
    store::Batch batch;
    std::map<SoftwareName, std::uint64_t> revisions;
    for (auto const& software : fresh) revisions[software] = report(software, batch);
    batch.push_back(journal::put(state_.cursor));
    persist(std::move(batch), [this, fresh, revisions = std::move(revisions), cursor = state_.cursor](Moment then) {
        recorded_ = cursor;
        for (auto const& software : fresh) {
            mark_saved(software, revisions.at(software));
            if (state_.software.at(software).entry.seq > cursor.seq) continue;  // superseded meanwhile: that batch is to come
            work_.at(software).recorded = true;
            say(LogLevel::info, fmt::format("recorded release {} ({} {}) at {} us", state_.software.at(software).entry.seq.value,
                                            software.text(), work_.at(software).info.version.text(), then.wall.micros));
            pursue(software, then);
        }
    });
}

// What is recorded is not trusted yet: pursue_plan() asks for the signature before anything is done with it.
void Agent::record_entry(LogEntry const& entry, std::vector<SoftwareName>& fresh, Moment now) {
    auto info = decode_update_info(entry.update.payload);
    if (!info) {
        return say(LogLevel::error, fmt::format("release {} is not for this version of lull: {}", entry.seq.value, info.error().message));
    }
    if (!info->groups.empty()) return;  // it is for groups, and this node is in none
    auto const software = info->software;
    if (auto const known = state_.software.find(software); known != state_.software.end()) {
        if (known->second.phase != Phase::active) {
            say(LogLevel::info, fmt::format("{} {} is superseded by {}", software.text(), work_.at(software).info.version.text(),
                                            info->version.text()));
        }
        // Somebody who waits for the lock must not wait until the newer one is here.
        bool const holds = known->second.phase == Phase::waiting || known->second.phase == Phase::switching;
        if (holds && !work_.at(software).busy) out_.push_back(LetGo{software});
    }
    auto const [known_record, first] = state_.software.try_emplace(software);
    auto& record = known_record->second;
    // A journal that was lost must not make the node's reports look older than those of the journal before.
    if (first) record.revision = static_cast<std::uint64_t>(std::max<std::int64_t>(0, now.wall.micros));
    record.entry = entry;
    record.phase = Phase::announced;
    record.since = now.wall;
    record.why.clear();
    record.holders.clear();
    record.failures = 0;
    auto& work = work_[software];
    work.info = std::move(*info);
    work.recorded = false;
    work.plan.reset();
    work.retry.reset();
    fetcher_.unwant(software);
    if (std::find(fresh.begin(), fresh.end(), software) == fresh.end()) fresh.push_back(software);
}

// ---- the session ----

void Agent::on_event(ExchangeReady, Moment now) {
    link_.ready(now.point);
    send(Hello{settings_.node, settings_.architecture, settings_.program, settings_.boot, recorded_.epoch, recorded_.seq});
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
    if (auto const* data = std::get_if<Data>(&event.message)) return on_message(*data, event.payload, now);
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
    if (!same_log(message.epoch)) return;
    for (auto const& [software, report] : state_.outbox) unsaid_.insert(software);
    if (message.head > state_.cursor.seq) {
        head_ = std::max(head_, message.head);
        link_.gap(now.point, Duration::zero());
    }
}

void Agent::on_message(Queued const& message, Moment now) {
    link_.moved(now.point);
    say(LogLevel::info, fmt::format("waiting for the broker: number {} in the queue, {}", message.position, message.reason));
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

void Agent::on_message(Ping const& message, Moment) { send(Pong{message.nonce}); }

void Agent::on_message(Noted const& message, Moment now) {
    auto const found = state_.outbox.find(message.software);
    if (found == state_.outbox.end() || found->second.revision != message.revision) return;
    link_.useful(now.point);
    state_.outbox.erase(found);
    unsaid_.erase(message.software);
    persist({journal::drop_report(message.software)}, [](Moment) {});
}

// ---- objects ----

void Agent::on_message(Data const& message, Bytes payload, Moment now) {
    auto const decision = fetcher_.data(message, payload);
    send(fetcher_.ack());
    link_.moved(now.point);
    switch (decision.verdict) {
        case Fetcher::Verdict::ignore: return;
        case Fetcher::Verdict::store:
            link_.useful(now.point);
            return out_.push_back(StoreFrame{message.shape, message.offset, decision.then});
        case Fetcher::Verdict::broken:
            say(LogLevel::warn, fmt::format("the broker sent bytes of object {} that do not fit", message.shape.object.hex()));
            link_.lost(now.point);
            return out_.push_back(CloseExchange{});
    }
}

// It may have the object in another shape, of which there is no such offset: then the next try begins at the first byte.
void Agent::on_message(Absent const& message, Moment now) {
    if (fetcher_.complete(message.object)) return;
    if (fetcher_.knows(message.object)) drop({message.object}, [](Moment) {});
    give_up_wanting(message.object, Error{Fault::not_found, fmt::format("the broker does not have object {}", message.object.hex())}, now);
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
        return give_up_wanting(event.object, event.status.error(), now);
    }
    auto const record = fetcher_.finished(event.object);
    if (!record) return;
    state_.objects[event.object] = *record;
    persist({journal::put(*record)}, [this, object = event.object](Moment then) {
        for (auto const& software : fetcher_.wanted_by(object)) {
            auto const phase = state_.software.at(software).phase;
            if (phase == Phase::announced || phase == Phase::fetching) pursue(software, then);
        }
    });
}

void Agent::on_event(ObjectUnwritten event, Moment now) {
    fetcher_.forget(event.object);
    if (auto const known = state_.objects.find(event.object); known != state_.objects.end()) fetcher_.load({*known});
    give_up_wanting(event.object, event.error, now);
}

void Agent::give_up_wanting(Digest const& object, Error const& error, Moment now) {
    for (auto const& software : fetcher_.wanted_by(object)) give_up(software, error, now);
}

// ---- speaking ----

Link::Need Agent::need() const {
    if (epoch_complained_) return {};
    return {fetcher_.anything_missing() || !state_.outbox.empty(),
            fetcher_.waiting_for_data() || sync_owed_ || !state_.outbox.empty(), fetcher_.waiting_for_data()};
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
    if (link_.open() && !epoch_complained_) {
        if (now.point - asked_at_ >= settings_.link.answer) {  // lost on the way: say it again
            asked_at_ = now.point;
            sync_owed_ = false;
            for (auto const& [software, report] : state_.outbox) unsaid_.insert(software);
        }
        if (link_.catching_up(now.point) && !sync_owed_) {
            sync_owed_ = true;
            asked_at_ = now.point;
            send(Sync{state_.cursor.epoch, state_.cursor.seq});
        }
        if (!unsaid_.empty()) {
            say_reports(now);
            link_.spoke(now.point);
        }
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
