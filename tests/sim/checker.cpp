#include "tests/sim/checker.hpp"

#include <algorithm>

namespace lull::sim {

using namespace std::chrono_literals;

namespace {

broker::NodeStatusTable ledger_of(Tables const& tables) {
    broker::NodeStatusTable node_status;
    for (auto const& [key, value] : tables.at(broker::NodeStatusTable::table))
        LULL_INVARIANT(node_status.load(key, value).has_value());
    return node_status;
}

}  // namespace

void Checker::set(std::string text) {
    world_.trace("VIOLATION {}", text);
    if (!violation_)
        violation_ = fmt::format("after {} s: {}", std::chrono::duration<double>(world_.elapsed()).count(), text);
}

// ---- the broker ----

void Checker::committed(Committed const& message, UpdateInfo const& info) {
    bool const gone = lost_.contains(message.seq) || removed_.contains(message.seq);
    if (numbers_ == Numbers::maybe_twice && gone) {
        lost_.erase(message.seq);
        removed_.erase(message.seq);
        committed_.erase(message.seq);
    }
    auto const [known, fresh] = committed_.try_emplace(message.seq, message, info);
    if (!fresh && known->second.second != info)
        violated("release {} was committed twice with other contents", message.seq.value);
}

void Checker::noted(PeerKey const& node, ReportAck const& message) {
    auto& revision = noted_[{message.software, node}];
    revision = std::max(revision, message.revision);
}

// Only what a newer release supersedes and no node has may leave the log. A report that came while the removal was on
// its way is not in the tables yet, and finds its release gone; one that could not be written has told all the same
// that the node has gone on.
void Checker::broker_forgets(store::Change const& change, Tables const& before, broker::NodeStatusTable const& told) {
    Seq const seq{*store::number_of(change.key)};
    removed_.insert(seq);
    bool const superseded = std::any_of(log_.begin(), log_.end(), [&](auto const& releases) {
        return releases.second.contains(seq) && *releases.second.rbegin() > seq;
    });
    if (!superseded) violated("log entry {} was removed, and nothing is newer", seq.value);
    if (told.releases().contains(seq) && ledger_of(before).releases().contains(seq))
        violated("log entry {} was removed, and a node has it", seq.value);
}

// ---- nodes that are removed ----

namespace {

PeerKey key_at_end(View key) {
    std::array<std::byte, 32> bytes;
    std::ranges::copy(key.last(bytes.size()), bytes.begin());
    return PeerKey(bytes);
}

}  // namespace

void Checker::register_changes(store::Change const& change) {
    auto const key = key_at_end(change.key);
    if (change.value) {
        auto const peer = decode<broker::Peer>(*change.value, limits::control_message);
        if (peer->role != Role::node) return;
        removed_nodes_.erase(key);
        enrolled_[key] = peer->name;
        orders_.enrolled(key, *NodeName::parse(peer->name));
        return;
    }
    removed_nodes_.insert(key);
    enrolled_.erase(key);
    orders_.removed(key);
    std::erase_if(noted_, [&](auto const& entry) { return entry.first.second == key; });
}

void Checker::write_of_removed(store::Change const& change) {
    std::string_view const table = change.table;
    bool const by_key = table == broker::NodeStatusTable::table || table == broker::LastSeen::table;
    if (by_key && change.value && removed_nodes_.contains(key_at_end(change.key)))
        violated("table '{}' has something of a node that is removed", table);
}

void Checker::removed(NodeName const& node) {
    for (auto const& [key, name] : enrolled_) {
        if (name == node.text()) violated("{} was removed and stays in the register", name);
    }
}

void Checker::served(PeerKey const& peer, Message const& message) {
    if (removed_nodes_.contains(peer) && !std::holds_alternative<Refused>(message))
        violated("{} goes to a node that is removed", to_text(type_of(message)));
}

void Checker::broker_wrote(Tables const& before, store::Batch const& batch, broker::NodeStatusTable const& told) {
    for (auto const& change : batch) {
        if (change.table == std::string_view(broker::Peers::table)) register_changes(change);
        write_of_removed(change);
        if (change.table == broker::ReleaseLog::table && !change.value) broker_forgets(change, before, told);
        if (change.table == broker::ReleaseLog::table && change.value) {
            auto const entry = decode<LogEntry>(*change.value, limits::control_message);
            if (before.at(change.table).contains(change.key))
                violated("log entry {} was written over", entry->seq.value);
            log_[decode_update_info(entry->update.payload)->software].insert(entry->seq);
        }
        if (change.table == broker::NodeStatusTable::table) {
            auto const& rows = before.at(change.table);
            auto const row = rows.find(change.key);
            if (row == rows.end() || !change.value) continue;
            auto const older = decode<broker::NodeStatus>(row->second, limits::control_message);
            auto const newer = decode<broker::NodeStatus>(*change.value, limits::control_message);
            if (newer->revision < older->revision) violated("a ledger row went back to revision {}", newer->revision);
        }
    }
    orders_.broker_wrote(batch, told);
}

void Checker::broker_has(broker::BrokerState const& state) {
    for (auto const& [seq, known] : committed_) {
        if (removed_.contains(seq) || lost_.contains(seq)) continue;
        auto const* release = state.release_log.at(seq);
        if (release == nullptr || release->info != known.second) {
            violated("{} {} was committed as release {} and is not in the log", known.second.software.text(),
                     known.second.version.text(), seq.value);
        }
    }
    for (auto const& [row, revision] : noted_) {
        auto const there = state.node_status.durable_revision(row.first, row.second);
        if (there < revision)
            violated("report {} about {} was noted, the ledger has {}", revision, row.first.text(), there);
    }
    orders_.broker_starts(state.orders);
    for (auto const& key : removed_nodes_) {
        bool rows = false;
        for (auto const& [software, releases] : log_) rows = rows || state.node_status.find(software, key).has_value();
        if (state.peers.find(key) != nullptr || state.last_seen.find(key) != nullptr || rows)
            violated("a node that is removed is still known");
    }
}

void Checker::broker_restored(Tables const& copy, Numbers numbers) {
    numbers_ = numbers;
    auto const& log = copy.at(broker::ReleaseLog::table);
    std::set<Seq> there;
    for (auto const& [key, value] : log) there.insert(Seq{*store::number_of(key)});
    for (auto const& [seq, known] : committed_) {
        if (!there.contains(seq) && !removed_.contains(seq)) lost_.insert(seq);
    }
    for (auto& [software, releases] : log_) std::erase_if(releases, [&](Seq seq) { return !there.contains(seq); });
    for (auto const seq : there) removed_.erase(seq);
    auto const node_status = ledger_of(copy);
    for (auto& [row, revision] : noted_)
        revision = std::min(revision, node_status.durable_revision(row.first, row.second));
    enrolled_.clear();
    for (auto const& [key, value] : copy.at(broker::Peers::table)) register_changes({broker::Peers::table, key, value});
    orders_.broker_restored(copy);
}

// ---- a node ----

void Checker::node_wrote(std::string const& node, NodeDisk const& disk) {
    orders_.node_wrote(node, disk);
    auto& durable = durable_[node];
    auto const cursor = disk.journal.cursor.seq;
    if (disk.journal.cursor.epoch == durable.cursor.epoch && cursor < durable.cursor.seq) {
        violated("{}: the cursor fell from {} to {}", node, durable.cursor.seq.value, cursor.value);
    }
    durable.cursor = disk.journal.cursor;
    for (auto const& [software, record] : disk.journal.software) {
        auto& [seq, revision] = durable.software[software];
        if (record.entry.seq < seq)
            violated("{}: {} went back to release {}", node, software.text(), record.entry.seq.value);
        if (record.revision < revision)
            violated("{}: the revision of {} fell to {}", node, software.text(), record.revision);
        seq = record.entry.seq;
        revision = record.revision;
    }
    if (numbers_ == Numbers::maybe_twice) return;  // a cursor says less where a number can mean two releases
    for (auto const& [software, releases] : log_) {
        auto const beyond = releases.upper_bound(cursor);
        if (beyond == releases.begin()) continue;
        auto const passed = *std::prev(beyond);
        if (durable.software[software].first < passed) {
            violated("{}: the cursor is at {} and release {} of {} is not recorded", node, cursor.value, passed.value,
                     software.text());
        }
    }
}

void Checker::node_starts(std::string const& node, NodeDisk const& disk) {
    for (auto const& [object, record] : disk.journal.objects) {
        if (disk.rewritten.contains(object) || disk.damaged.contains(object)) continue;
        auto const file = disk.incoming.find(object);
        auto const size = file == disk.incoming.end() ? 0 : file->second.bytes.size();
        auto const& right = library_.bytes(object);
        auto const durable = record.durable.count();
        if (size < durable || !std::equal(right.begin(), right.begin() + static_cast<std::ptrdiff_t>(durable),
                                          file->second.bytes.begin())) {
            violated("{}: the journal says that {} bytes of {} are durable, and they are not", node, durable,
                     object.hex());
        }
    }
    for (auto const& [software, release] : disk.current) {
        if (disk.meddled.contains(software)) continue;
        if (!disk.versions.contains(release)) violated("{}: current of {} points to nothing", node, software.text());
    }
    for (auto const& [row, seq] : activated_) {
        if (row.first != node || disk.meddled.contains(row.second)) continue;
        auto const current = disk.current.find(row.second);
        if (current == disk.current.end() || current->second.seq < seq) {
            violated("{}: release {} of {} was reported active and is not any more", node, seq.value,
                     row.second.text());
        }
    }
}

void Checker::node_put_back(std::string const& node) {
    auto const of_node = [&](auto const& entry) { return entry.first.first == node; };
    durable_.erase(node);
    std::erase_if(reports_, of_node);
    std::erase_if(activated_, of_node);
    orders_.node_put_back(node);
}

void Checker::reported(std::string const& node, NodeDisk const& disk, Report const& report) {
    auto const [known, fresh] = reports_[{node, report.software}].try_emplace(report.revision, report);
    if (!fresh && known->second != report)
        violated("{}: two reports about {} have revision {}", node, report.software.text(), report.revision);
    auto const found = disk.journal.software.find(report.software);
    if (found == disk.journal.software.end() || found->second.revision < report.revision) {
        return violated("{}: report {} about {} was sent before it was durable", node, report.revision,
                        report.software.text());
    }
    auto const& record = found->second;
    if (record.revision != report.revision) return;
    if (record.entry.seq != report.seq || node_state(record.phase) != report.state) {
        violated("{}: the report about {} says '{}', the journal says '{}'", node, report.software.text(),
                 to_text(report.state), to_text(record.phase));
    }
    if (disk.meddled.contains(report.software)) return;
    if (report.state == NodeState::active) {
        auto& activated = activated_[{node, report.software}];
        activated = std::max(activated, report.seq);
    }
    auto const current = disk.current.find(report.software);
    bool const active = current != disk.current.end() && current->second.seq == report.seq;
    if (report.state == NodeState::active && !active)
        violated("{}: {} is reported active and is not", node, report.software.text());
    if (report.state == NodeState::active && active) hooks_.reported_active(node, current->second);
    bool const there = std::any_of(disk.versions.begin(), disk.versions.end(), [&](ReleaseId const& version) {
        return version.software == report.software && version.seq == report.seq;
    });
    if (report.state == NodeState::staged && !there)
        violated("{}: {} is reported staged and is not", node, report.software.text());
}

void Checker::asked(std::string const& node, NodeDisk const& disk, Fetch const& fetch) {
    auto const known = disk.journal.software.find(fetch.software);
    bool const recorded = known != disk.journal.software.end() && known->second.entry.seq >= fetch.seq;
    if (!recorded) violated("{}: objects of release {} are fetched before it is recorded", node, fetch.seq.value);
    auto const current = disk.current.find(fetch.software);
    bool const live = current != disk.current.end() && current->second.seq == fetch.seq;  // it is put right
    if (recorded && known->second.entry.seq == fetch.seq && !live) {
        orders_.fetches(node,
                        {fetch.software, fetch.seq, decode_update_info(known->second.entry.update.payload)->version});
    }
    for (auto const& item : fetch.items) {
        ++fetched_[{node, item.object}];
        auto const record = disk.journal.objects.find(item.object);
        if (record == disk.journal.objects.end() || disk.rewritten.contains(item.object)) continue;
        if (disk.damaged.contains(item.object)) continue;
        if (item.offset < record->second.durable) {
            violated("{}: {} bytes of {} are durable, it is fetched from {}", node, record->second.durable.count(),
                     item.object.hex(), item.offset.count());
        }
    }
}

void Checker::finished(std::string const& node, NodeDisk const& disk, Digest const& object) {
    if (!disk.damaged.contains(object))
        violated("{}: all bytes of {} have arrived, and they are wrong", node, object.hex());
}

void Checker::staged(std::string const& node, NodeDisk const& disk, subscriber::Materials const& order) {
    auto const* manifest = library_.manifest(order.manifest);
    bool const kept = order.seed && disk.versions.contains(*order.seed) &&
                      library_.digest_of(order.seed->software, order.seed->version) == order.manifest;
    bool const fetched_whole = order.objects.contains(order.manifest) && disk.holds(order.manifest);
    bool const has_manifest = kept || (order.patch ? disk.holds(*order.patch) : fetched_whole);
    if (!has_manifest) return violated("{}: {} is staged without its manifest", node, order.release.directory_name());
    std::set<Digest> seed;
    if (order.seed && disk.versions.contains(*order.seed)) {
        for (auto const& segment : library_.manifest_of(order.seed->software, order.seed->version).segments)
            seed.insert(segment.digest);
    }
    for (auto const& segment : manifest->segments) {
        bool const fetched = order.objects.contains(segment.digest) && disk.holds(segment.digest);
        bool const given = std::ranges::any_of(order.objects, [&](auto const& object) {
            return order.patch && !seed.empty() && library_.gives(object.first, segment.digest) &&
                   disk.holds(object.first);
        });
        if (!fetched && !given && !seed.contains(segment.digest)) {
            violated("{}: {} is staged without segment {}", node, order.release.directory_name(), segment.digest.hex());
        }
    }
}

void Checker::switches(std::string const& node, NodeDisk const& disk, ReleaseId const& release, std::size_t holders) {
    if (!disk.versions.contains(release))
        violated("{}: current would point to {}, which is not staged", node, release.directory_name());
    if (holders > 0 && !disk.meddled.contains(release.software)) {  // else they run what somebody pointed `current` to
        violated("{}: {} is switched to {} while {} processes use it", node, release.software.text(),
                 release.directory_name(), holders);
    }
}

void Checker::goes_back(std::string const& node, NodeDisk const& disk, ReleaseId const& from, ReleaseId const& to) {
    if (!disk.versions.contains(to))
        violated("{}: current would point to {}, which is not there", node, to.directory_name());
    auto const record = disk.journal.software.find(from.software);
    bool const tried = record != disk.journal.software.end() && record->second.trials.value_or(0) > 2;
    if (disk.unhealthy.contains(from) || tried || disk.meddled.contains(from.software)) return;
    violated("{}: {} goes back from {} to {} for no reason", node, from.software.text(), from.directory_name(),
             to.directory_name());
}

void Checker::removes(std::string const& node, NodeDisk const& disk, subscriber::RemoveVersions const& order) {
    auto const current = disk.current.find(order.software);
    if (current == disk.current.end() || disk.meddled.contains(order.software)) return;
    if (std::find(order.keep.begin(), order.keep.end(), current->second) == order.keep.end()) {
        violated("{}: the current version of {} is to be removed", node, order.software.text());
    }
}

// The durable record does not name it any more: after a crash the node relies on no version that may be gone.
void Checker::makes_room(std::string const& node, NodeDisk const& disk, subscriber::MakeRoom const& order) {
    if (!order.only) return removes(node, disk, {order.software, order.keep});
    auto const& record = disk.journal.software.at(order.software);
    subscriber::ReleaseRef const version{order.only->seq, order.only->version};
    if (record.active == version || record.previous == version || record.proven == version) {
        violated("{}: {} {} is given up while the record relies on it", node, order.software.text(),
                 order.only->directory_name());
    }
}

void Checker::told(std::string const& node, std::uint64_t pid, ReleaseId const& ready) {
    ++told_[{node, pid, ready.seq}];
}

void Checker::lock_held(std::string const& node, Duration time) {
    if (time > 60s) violated("{}: nobody could launch for {} s", node, std::chrono::duration<double>(time).count());
}

void Checker::decided(std::string const& node, std::optional<TimePoint> wake) {
    if (wake && *wake <= world_.now()) violated("{}: wants to be woken in the past", node);
    auto const second = std::chrono::duration_cast<std::chrono::seconds>(world_.elapsed()).count();
    auto& rate = rates_[node];
    if (rate.second != second) rate = {second, 0};
    constexpr std::uint64_t most = 2000;
    if (++rate.events == most) violated("{}: {} events in a second", node, most);
}

std::uint64_t Checker::told_count(std::string const& node, std::uint64_t pid, Seq ready) const {
    auto const found = told_.find({node, pid, ready});
    return found == told_.end() ? 0 : found->second;
}

std::uint64_t Checker::fetches_of(std::string const& node, Digest const& object) const {
    auto const found = fetched_.find({node, object});
    return found == fetched_.end() ? 0 : found->second;
}

}  // namespace lull::sim
