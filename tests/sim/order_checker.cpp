#include "tests/sim/order_checker.hpp"

#include <algorithm>

#include "schema/rollout.hpp"

namespace lull::sim {

using namespace std::chrono_literals;

namespace {

constexpr Duration on_its_way = 1s;  // from the disk to what is decided by it
constexpr Duration patience = 40s;   // for a rollout that has to halt

constexpr std::size_t key_bytes = 32;  // of a node, at the end of a ledger's key

bool is_failure(NodeState state) { return state == NodeState::failed || state == NodeState::rolled_back; }

// All but the time: an order that comes twice is given twice.
bool same_words(Order const& a, Order const& b) {
    return a.kind == b.kind && a.software == b.software && a.seq == b.seq && a.by == b.by && a.why == b.why &&
           a.until == b.until && a.restart == b.restart;
}

std::optional<NodeName> node_of_key(View key) {
    if (as_text(key) == "@all") return std::nullopt;
    return *NodeName::parse(as_text(key));
}

}  // namespace

// ---- what the broker writes ----

void OrderChecker::take_release(View key, std::optional<Buffer> const& value) {
    Seq const seq{*store::number_of(key)};
    if (!value) {
        for (auto& [software, releases] : log_) releases.erase(seq);
        return;
    }
    auto const entry = decode<LogEntry>(*value, limits::control_message);
    auto info = *decode_update_info(entry->update.payload);
    auto const software = info.software;
    log_[software].insert_or_assign(seq, std::move(info));
}

// What was ordered a node that is removed is forgotten with it.
void OrderChecker::removed(PeerKey const& key) {
    auto const found = nodes_.find(key);
    if (found == nodes_.end()) return;
    sets_.erase(found->second);
    nodes_at_[found->second.text()].removed = true;
    std::erase_if(acknowledged_, [&](auto const& entry) { return std::get<0>(entry.first) == found->second; });
    nodes_.erase(found);
    failing_.clear();
}

void OrderChecker::take_row(View key, std::optional<Buffer> const& value) {
    auto const software = *SoftwareName::parse(as_text(key.first(key.size() - key_bytes - 1)));
    std::array<std::byte, key_bytes> node;
    std::ranges::copy(key.last(key_bytes), node.begin());
    if (!value) {
        rows_.erase({software, PeerKey(node)});
        return;
    }
    auto row = *decode<broker::NodeStatus>(*value, limits::control_message);
    auto& known = rows_[{software, PeerKey(node)}];
    bool const still_failed = is_failure(known.row.state) && is_failure(row.state) && known.row.seq == row.seq;
    known = {std::move(row), still_failed ? known.written : world_.now()};
}

void OrderChecker::take_orders(View key, View value, broker::NodeStatusTable const& told) {
    auto const node = node_of_key(key);
    auto set = *decode<OrderSet>(value, limits::control_message);
    auto& before = sets_[node];
    if (before.revision == set.revision)
        violated_(fmt::format("another set of orders has revision {} again", set.revision));
    for (auto const& order : set.orders) {
        if (order.kind != OrderKind::share) continue;
        if (auto const* last = before.find(OrderKind::share, *order.software, *order.seq)) {
            if (order.upto < last->upto)
                violated_(fmt::format("the turn of nodes in release {} is taken away", order.seq->value));
            opens(*last, order, told);
        }
        auto& opened = opened_[*order.seq];
        opened = std::max(opened, order.upto.value_or(0));
    }
    before = std::move(set);
    check_acknowledged(node, before);
}

void OrderChecker::broker_wrote(store::Batch const& batch, broker::NodeStatusTable const& told) {
    for (auto const& change : batch) {
        std::string_view const table = change.table;
        if (table == broker::ReleaseLog::table) take_release(change.key, change.value);
        if (table == broker::NodeStatusTable::table) take_row(change.key, change.value);
        if (table == broker::OrderBook::table && change.value) take_orders(change.key, *change.value, told);
        if (table == broker::ReleaseLog::table || table == broker::NodeStatusTable::table ||
            table == broker::OrderBook::table)
            failing_.clear();
    }
}

void OrderChecker::rows_and_releases_of(Tables const& tables) {
    log_.clear();
    rows_.clear();
    sets_.clear();
    for (auto const& [key, value] : tables.at(broker::ReleaseLog::table)) take_release(key, value);
    for (auto const& [key, value] : tables.at(broker::NodeStatusTable::table)) take_row(key, value);
    for (auto const& [key, value] : tables.at(broker::OrderBook::table)) {
        sets_[node_of_key(key)] = *decode<OrderSet>(value, limits::control_message);
    }
}

// What was acknowledged after the copy was made is lost, and nobody can be blamed.
void OrderChecker::broker_restored(Tables const& copy) {
    rows_and_releases_of(copy);
    restored_ = true;
    failing_.clear();
    overdue_.clear();
    std::erase_if(acknowledged_, [&](auto const& entry) {
        auto const& [node, kind, scope] = entry.first;
        auto const set = sets_.find(node);
        auto const* there = set == sets_.end() ? nullptr : set->second.find(kind, scope);
        if (!entry.second) return there != nullptr;
        return there == nullptr || !same_words(*there, *entry.second);
    });
}

// ---- what operators were answered ----

void OrderChecker::ordering(Admin const& admin) {
    if (admin.order) acknowledged_.erase({admin.node, admin.order->kind, admin.order->software});
}

void OrderChecker::answered(Admin const& admin, Order const& order) {
    bool const given = admin.verb == AdminVerb::order;
    acknowledged_[{admin.node, order.kind, order.software}] = given ? std::optional(order) : std::nullopt;
    auto const set = sets_.find(admin.node);
    if (set == sets_.end()) return violated_("an order was acknowledged, and no orders are durable");
    check_acknowledged(admin.node, set->second);
}

// A rollout may pause anew what an operator has resumed, or say in its words that it is paused.
void OrderChecker::check_acknowledged(std::optional<NodeName> const& node, OrderSet const& set) const {
    for (auto const& [place, order] : acknowledged_) {
        auto const& [its_node, kind, scope] = place;
        if (its_node != node) continue;
        auto const* there = set.find(kind, scope);
        if (!order) {
            if (kind == OrderKind::hold && there != nullptr) violated_("a hold that was taken back stands again");
            continue;
        }
        bool const over = order->until && *order->until <= latest_;
        auto const now_newest = scope ? newest(*scope) : std::nullopt;
        if (over || (order->seq && now_newest && now_newest->seq != *order->seq)) continue;
        bool const stands = there != nullptr &&
                            (kind == OrderKind::pause ? there->seq == order->seq : same_words(*there, *order));
        if (!stands)
            violated_(fmt::format("an order was acknowledged and is lost: {} '{}'", to_text(kind), order->why));
    }
}

void OrderChecker::broker_starts(broker::OrderBook const& orders) {
    overdue_.clear();
    std::set<std::optional<NodeName>> nodes;
    for (auto const& [place, order] : acknowledged_) nodes.insert(std::get<0>(place));
    for (auto const& node : nodes) check_acknowledged(node, orders.copy(node));
}

// ---- rollouts ----

std::optional<OrderChecker::Newest> OrderChecker::newest(SoftwareName const& software) const {
    auto const releases = log_.find(software);
    if (releases == log_.end() || releases->second.empty()) return std::nullopt;
    return Newest{releases->second.rbegin()->first, releases->second.rbegin()->second};
}

bool OrderChecker::has_failed(Newest const& release, PeerKey const& node, broker::NodeStatusTable const& told,
                              TimePoint known_since) const {
    auto const durable = rows_.find({release.info.software, node});
    auto const row = told.find(release.info.software, node);
    if (durable == rows_.end() || !row || durable->second.written > known_since) return false;
    return durable->second.row.seq == release.seq && is_failure(durable->second.row.state) && row->seq == release.seq &&
           is_failure(row->state);
}

bool OrderChecker::fails_too_often(Newest const& release, Order const& share, broker::NodeStatusTable const& told,
                                   TimePoint known_since) const {
    auto const& rollout = *release.info.rollout;
    if (!rollout.halt_on) return false;
    std::uint64_t members = 0;
    std::uint64_t failed = 0;
    for (auto const& [key, node] : nodes_) {
        if (place_in_rollout(release.info.software, release.info.version, node) > share.upto.value_or(0)) continue;
        ++members;
        if (has_failed(release, key, told, known_since)) ++failed;
    }
    return failed > share.accepted_failures.value_or(0) && failed * all_nodes > *rollout.halt_on * members;
}

void OrderChecker::opens(Order const& before, Order const& after, broker::NodeStatusTable const& told) {
    if (after.upto <= before.upto) return;
    auto const release = newest(*after.software);
    if (!release || release->seq != *after.seq || !release->info.rollout) return;
    if (fails_too_often(*release, before, told, world_.now() - on_its_way)) {
        violated_(fmt::format("the turn of more nodes comes for {} {}, which has failed too often",
                              after.software->text(), release->info.version.text()));
    }
}

bool OrderChecker::stopped(SoftwareName const& software, Seq seq) const {
    auto const set = sets_.find(std::nullopt);
    return set != sets_.end() && (set->second.find(OrderKind::pause, software, seq) != nullptr ||
                                  set->second.find(OrderKind::withdraw, software, seq) != nullptr);
}

void OrderChecker::broker_lives(broker::NodeStatusTable const& told) {
    auto const set = sets_.find(std::nullopt);
    if (set == sets_.end()) return;
    for (auto const& share : set->second.orders) {
        if (share.kind != OrderKind::share) continue;
        auto const [known, fresh] = failing_.try_emplace(*share.software, false);
        if (fresh) {
            auto const release = newest(*share.software);
            bool const counts = release && release->seq == *share.seq && release->info.rollout &&
                                !stopped(*share.software, *share.seq);
            known->second = counts && fails_too_often(*release, share, told, world_.now());
        }
        if (!known->second) {
            overdue_.erase(*share.seq);
            continue;
        }
        auto const since = overdue_.try_emplace(*share.seq, world_.now()).first->second;
        if (world_.now() - since > patience)
            violated_(fmt::format("release {} of {} fails too often, and its rollout goes on", share.seq->value,
                                  share.software->text()));
    }
}

// ---- nodes ----

void OrderChecker::node_wrote(std::string const& node, NodeDisk const& disk) {
    auto& known = nodes_at_[node];
    auto const& journal = disk.journal;
    if (known.revision == journal.orders.revision && known.own_revision == journal.own_orders.revision) return;
    bool const begins_anew = known.removed && journal.own_orders.revision == 0;  // it was enrolled again
    if (!restored_ && !begins_anew && journal.own_orders.revision < known.own_revision)
        violated_(fmt::format("{}: an older set of orders counts again", node));
    known.revision = journal.orders.revision;
    known.own_revision = journal.own_orders.revision;
    auto const before = std::exchange(known.standing, {});
    for (auto const* set : {&journal.orders, &journal.own_orders}) {
        for (auto const& order : set->orders) {
            auto const same = std::ranges::find_if(before, [&](RolloutStatus const& standing) {
                auto const& other = standing.order;
                return other.kind == order.kind && other.software == order.software && other.seq == order.seq &&
                       other.until == order.until;
            });
            known.standing.push_back({order, same == before.end() ? world_.now() : same->since});
            if (order.kind == OrderKind::force) known.forced.emplace(*order.software, *order.seq);
        }
    }
}

void OrderChecker::node_put_back(std::string const& node) {
    auto& known = nodes_at_[node];
    known.revision = known.own_revision = 0;
    known.standing.clear();
}

bool OrderChecker::is_known(RolloutStatus const& standing) const { return world_.now() - standing.since > on_its_way; }

OrderChecker::RolloutStatus const* OrderChecker::find(std::string const& node, OrderKind kind,
                                                      ReleaseId const& release) const {
    auto const known = nodes_at_.find(node);
    if (known == nodes_at_.end()) return nullptr;
    auto const found = std::ranges::find_if(known->second.standing, [&](RolloutStatus const& standing) {
        auto const& order = standing.order;
        return order.kind == kind && order.software == release.software && order.seq == release.seq &&
               is_known(standing);
    });
    return found == known->second.standing.end() ? nullptr : &*found;
}

Order const* OrderChecker::hold_of(NodeOrders const& orders, SoftwareName const& software, WallTime node_clock) const {
    if (orders.jumped != TimePoint{} && world_.now() - orders.jumped < 1min) return nullptr;
    for (auto const& standing : orders.standing) {
        auto const& order = standing.order;
        bool const counts = order.kind == OrderKind::hold && (!order.software || *order.software == software) &&
                            is_known(standing);
        if (counts && (!order.until || *order.until > node_clock)) return &order;
    }
    return nullptr;
}

void OrderChecker::becomes_live(std::string const& node, ReleaseId const& release, WallTime node_clock) {
    auto const what = fmt::format("{}: {} {} becomes live", node, release.software.text(), release.directory_name());
    if (find(node, OrderKind::withdraw, release) != nullptr) violated_(what + " though it is withdrawn");
    if (forced(node, release)) return;
    if (find(node, OrderKind::pause, release) != nullptr) violated_(what + " though it is paused");
    if (auto const* hold = hold_of(nodes_at_[node], release.software, node_clock))
        violated_(fmt::format("{} though it is held: {}", what, hold->why));
    if (!library_.info_of(release).rollout) return;
    auto const opened = opened_.find(release.seq);
    auto const place = place_in_rollout(release.software, release.version, *NodeName::parse(node));
    if (opened == opened_.end() || place > opened->second) violated_(what + " before its turn in the rollout has come");
}

void OrderChecker::fetches(std::string const& node, ReleaseId const& release) {
    if (find(node, OrderKind::withdraw, release) == nullptr) return;
    violated_(fmt::format("{}: {} {} is fetched though it is withdrawn", node, release.software.text(),
                          release.directory_name()));
}

}  // namespace lull::sim
