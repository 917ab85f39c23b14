#include <algorithm>

#include "broker/broker.hpp"

// The broker's talk with nodes: sessions, catching up, objects, reports.

namespace lull::broker {

namespace {

constexpr Bytes log_page = KiB(512);
constexpr std::size_t most_reannounced = 64;  // a session; the next one brings the rest
constexpr Duration reannounce_after = std::chrono::seconds(10);

// An epoch that nobody else chooses: it depends on what only this log and this witness have.
Epoch epoch_after(Epoch old, LogEntry const& witness) {
    Buffer bytes = store::key_of(old.value);
    bytes.insert(bytes.end(), witness.update.payload.begin(), witness.update.payload.end());
    auto const number = store::number_of(sha256(bytes).view().first(sizeof(std::uint64_t)));
    return Epoch{std::max<std::uint64_t>(1, *number)};
}

}  // namespace

void Broker::on_message(SessionId id, Session& session, Hello message, Moment now) {
    if (auto const older = node_sessions_.find(session.peer); older != node_sessions_.end() && older->second != id) {
        auto const stale = older->second;  // the node has connected anew; its old connection is dead
        close(stale, now);
    }
    node_sessions_[session.peer] = id;
    sender_.drop(id);
    governor_.restart(id, now.point);
    state_.sightings.runs(session.peer, message.program);
    send_missed_orders(id, session.peer, message.orders.value_or(0), message.own_orders.value_or(0));  // first: it asks for them by SYNC else
    send(id, Welcome{state_.catalogue.epoch(), state_.catalogue.head(), now.wall});
    session.heard_of = message.epoch == state_.catalogue.epoch() ? message.cursor : Seq{};
    session.reannounce = now.point + reannounce_after;
}

// Keeps at it: what the node has heard of and has not reported on in this session either is announced again, to it alone. It checks
// in now and then, which spreads this over time.
void Broker::reannounce(SessionId id, PeerKey const& node, Seq cursor) {
    std::size_t count = 0;
    for (auto const& [software, position] : state_.catalogue.software()) {
        auto const& newest = state_.catalogue.log()[position];
        if (newest.entry.seq > cursor || !newest.info.groups.empty()) continue;  // it will hear of it; it is not for it
        auto const* row = state_.ledger.find(software, node);
        if (row != nullptr && row->seq >= newest.entry.seq) continue;
        send(id, Update{state_.catalogue.epoch(), newest.entry});
        if (++count == most_reannounced) return;
    }
}

void Broker::on_message(SessionId id, Session& session, Sync const& message, Moment) {
    send_missed_orders(id, session.peer, message.orders.value_or(0), message.own_orders.value_or(0));
    auto const& catalogue = state_.catalogue;
    if (message.epoch == catalogue.epoch() && message.cursor >= catalogue.identity().removed && !message.after) {
        auto page = catalogue.page_after(message.cursor, limits::log_entries_per_message, log_page);
        return send(id, LogPage{catalogue.epoch(), message.cursor, std::move(page), catalogue.head()});
    }
    auto page = catalogue.newest_after(message.after, limits::log_entries_per_message, log_page);
    send(id, Snapshot{catalogue.epoch(), message.after, std::move(page.entries), catalogue.head(), page.rest});
}

// Only what a publisher signed counts, and only if it is later than all that is here: a node must not be able to disturb the others.
void Broker::on_message(SessionId, Session& session, Witness const& message, Moment now) {
    auto const& catalogue = state_.catalogue;
    if (message.epoch != catalogue.epoch() || message.entry.seq <= catalogue.head()) return;  // that is settled by now
    auto const info = open_update_info(message.entry.update, state_.peers.publishers());
    if (!info) return complain(session.peer, fmt::format("WITNESS: {}", info.error().message));
    auto const* last = catalogue.at(catalogue.head());
    bool const later = last == nullptr || info->time > last->info.time;
    if (!later || catalogue.find(info->software, info->version) != nullptr) {
        return complain(session.peer, fmt::format("WITNESS of release {}, which does not show that this log lost anything",
                                                  message.entry.seq.value));
    }
    renew_log(epoch_after(catalogue.epoch(), message.entry),
              fmt::format("{} {}, release {}, is missing from this log: it was restored from an older copy", info->software.text(),
                          info->version.text(), message.entry.seq.value),
              now.wall);
}

void Broker::on_message(SessionId id, Session&, Fetch const& message, Moment) {
    if (message.items.size() > limits::objects_per_message) {
        return refuse(id, Refusal::invalid, fmt::format("FETCH names at most {} objects", limits::objects_per_message));
    }
    auto const* const newest = state_.catalogue.newest(message.software);  // a log that was restored may lack it
    auto const urgency = newest == nullptr ? Urgency::normal : newest->info.urgency;
    bool queued = false;
    for (auto const& item : message.items) {
        auto const place = newest != nullptr ? index_.find(item.object) : std::nullopt;
        if (!place || item.offset >= place->shape.stored) {
            send(id, Absent{item.object});
            continue;
        }
        auto const outcome = sender_.enqueue(id, {*place, item.offset, message.software, urgency});
        if (outcome == Sender::Place::overfull) {
            return refuse(id, Refusal::invalid, fmt::format("at most {} objects may wait in a session", limits::objects_per_session));
        }
        queued |= outcome == Sender::Place::queued;
    }
    if (auto const position = sender_.position(id); queued && position && *position > 0) {
        send(id, Queued{*position, std::string(to_text(Reason::place_in_queue))});
    }
}

void Broker::on_message(SessionId id, Session&, Ack const& message, Moment now) {
    if (sender_.acknowledge(id, message.received, now.point)) return;
    refuse(id, Refusal::invalid, "ACK for bytes that were not sent: begin a new session");
    close(id, now);
}

void Broker::on_message(SessionId id, Session&, Credit const& message, Moment) { sender_.permit(id, message.permitted); }

void Broker::on_message(SessionId id, Session& session, Report const& message, Moment) {
    if (message.revision == 0 || message.seq == Seq{}) {
        return refuse(id, Refusal::invalid, "the revisions of reports, and the numbers of releases, begin with 1");
    }
    auto const& catalogue = state_.catalogue;
    if (catalogue.newest(message.software) == nullptr) {
        // A log that was restored may not know it. There is no row to keep; the node would repeat itself for ever.
        complain(session.peer, fmt::format("a report about '{}', which is not here", message.software.text()));
        return send(id, Noted{message.software, message.revision});
    }
    // Releases that were removed from the log, or were lost with it, are reported on like others.
    if (auto const* release = catalogue.at(message.seq); release != nullptr && release->info.software != message.software) {
        return refuse(id, Refusal::invalid, fmt::format("release {} is not one of {}", message.seq.value, message.software.text()));
    }
    auto const peer = session.peer;
    auto& ledger = state_.ledger;
    if (ledger.take(peer, message) == Ledger::Outcome::stale) {
        // Repeated: note it if it is durable; else its own batch will.
        if (message.revision <= ledger.durable_revision(message.software, peer)) send(id, Noted{message.software, message.revision});
        return;
    }
    persist({ledger.change(message.software, peer)},
            [this, id, peer, software = message.software, revision = message.revision](Status const& status, Moment) {
                if (!status) {
                    state_.ledger.mark_lost(software, peer, revision);
                    return say(LogLevel::error, fmt::format("cannot record a report: {}", status.error().message));
                }
                state_.ledger.mark_durable(software, peer, revision);
                ++reports_;
                if (sessions_.contains(id)) send(id, Noted{software, revision});
            });
}

// Who waits hears so every minute: else it could not tell a long queue from a request that was lost.
void Broker::tell_queue() {
    std::uint64_t position = 0;
    for (auto const id : sender_.waiting()) send(id, Queued{++position, std::string(to_text(Reason::place_in_queue))});
}

}  // namespace lull::broker
