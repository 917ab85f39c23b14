#include "broker/fleet/catch_up.hpp"

namespace lull::broker {

namespace {

constexpr Bytes log_page = KiB(512);
constexpr std::size_t most_reannounced = 64;  // a session; its next session brings the rest
constexpr std::size_t most_reannounced_a_tick = 2000;
constexpr Duration reannounce_after = std::chrono::seconds(10);

// An epoch that no other broker chooses: it depends on what only this log and this witness have.
Epoch epoch_after(Epoch old, LogEntry const& witness) {
    Buffer bytes = store::key_of(old.value);
    bytes.insert(bytes.end(), witness.update.payload.begin(), witness.update.payload.end());
    auto const number = store::number_of(sha256(bytes).view().first(sizeof(std::uint64_t)));
    return Epoch{std::max<std::uint64_t>(1, *number)};
}

}  // namespace

void CatchUp::welcome(SessionId session, PeerKey const& node, Hello const& message, Besides besides, Moment now) {
    auto const& log = parts_.log;
    Welcome welcome{log.epoch(), log.head(), now.wall, life_};
    if (!besides.wanted.empty()) welcome.wanted = std::move(besides.wanted);
    welcome.note = std::move(besides.note);
    effects_.send(session, std::move(welcome));
    auto const cursor = message.epoch == log.epoch() ? message.cursor : Seq{};
    auto const [due, fresh] = due_.try_emplace(session, Due{now.point + reannounce_after, node, cursor});
    if (fresh) {
        in_order_.push_back(session);
    } else {
        due->second.cursor = cursor;  // HELLO again: the time stays, so that `in_order_` is ordered by time
    }
}

void CatchUp::page(SessionId session, Sync const& message) {
    auto const& log = parts_.log;
    if (message.epoch == log.epoch() && message.cursor >= log.identity().removed && !message.after) {
        auto page = log.page_after(message.cursor, limits::log_entries_per_message, log_page);
        return effects_.send(session, LogPage{log.epoch(), message.cursor, std::move(page), log.head()});
    }
    auto page = log.newest_after(message.after, limits::log_entries_per_message, log_page);
    effects_.send(session, Snapshot{log.epoch(), message.after, std::move(page.entries), log.head(), page.rest});
}

void CatchUp::witness(PeerKey const& node, Witness const& message, WallTime now) {
    auto const& log = parts_.log;
    if (message.epoch != log.epoch() || message.entry.seq <= log.head()) return;  // that is settled by now
    auto const info = open_update_info(message.entry.update, parts_.peers.publishers());
    if (!info) return parts_.complaints.about(node, fmt::format("WITNESS: {}", info.error().message));
    auto const* last = log.at(log.head());
    bool const later = last == nullptr || info->time > last->info.time;
    if (!later || log.find(info->software, info->version) != nullptr) {
        return parts_.complaints.about(
            node, fmt::format("WITNESS of release {}, which does not show that this log lost anything",
                              message.entry.seq.value));
    }
    parts_.changes.renew(epoch_after(log.epoch(), message.entry),
                         fmt::format("{} {}, release {}, is missing from this log: it was restored from an older copy",
                                     info->software.text(), info->version.text(), message.entry.seq.value),
                         now);
}

void CatchUp::reannounce(TimePoint now) {
    std::size_t count = 0;
    while (!in_order_.empty() && count < most_reannounced_a_tick) {
        auto const session = in_order_.front();
        auto const found = due_.find(session);
        bool const ended = found == due_.end();
        if (!ended && found->second.when > now) return;
        in_order_.pop_front();
        if (ended) continue;
        auto const due = found->second;
        due_.erase(found);
        count += 1 + reannounce(session, due);
    }
}

std::size_t CatchUp::reannounce(SessionId session, Due const& due) {
    std::size_t count = 0;
    for (auto const& [software, position] : parts_.log.software()) {
        auto const& newest = parts_.log.log()[position];
        // A later entry is still on its way to the node; a release for groups is not for every node.
        if (newest.entry.seq > due.cursor || !newest.info.groups.empty()) continue;
        auto const row = parts_.node_status.report(software, due.node);
        if (row && row->seq >= newest.entry.seq) continue;
        effects_.send(session, Update{parts_.log.epoch(), newest.entry});
        if (++count == most_reannounced) break;
    }
    return count;
}

void CatchUp::session_ended(SessionId session, Moment) { due_.erase(session); }

}  // namespace lull::broker
