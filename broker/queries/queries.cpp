#include "broker/queries/queries.hpp"

#include <algorithm>
#include <set>

#include "broker/queries/answer_page.hpp"

namespace lull::broker {

namespace {

// Rows come in the order of numbers that stay as long as the broker runs, and cursors name the last row of a page by
// them plus one: they rise from page to page, and a row that comes or goes meanwhile moves no other. 0: the first page.
constexpr unsigned node_bits = 32;
constexpr unsigned order_bits = 16;

std::uint64_t low(std::uint64_t cursor, unsigned bits) { return cursor & ((std::uint64_t{1} << bits) - 1); }

// The numbers of the nodes that a question is about, from `first` on.
struct NodeRange {
    NodeNumber first = 0;
    NodeNumber end = 0;
};

NodeRange asked(Peers const& peers, Admin const& message) {
    if (!message.node) return {0, static_cast<NodeNumber>(peers.numbers())};
    auto const key = peers.key_of(*message.node);
    auto const number = key ? peers.number_of(*key) : std::nullopt;
    return number ? NodeRange{*number, *number + 1} : NodeRange{};
}

bool is_signed_by(Release const& release, Ed25519Public const& signer) {
    return std::ranges::count(release.entry.update.signatures, signer, &Signature::key) > 0;
}

std::set<SoftwareName> software_of(std::vector<Release> const& log, Ed25519Public const& signer) {
    std::set<SoftwareName> software;
    for (auto const& release : log) {
        if (is_signed_by(release, signer)) software.insert(release.info.software);
    }
    return software;
}

}  // namespace

Answer Queries::answer(Admin const& message, Moment now, std::optional<Ed25519Public> const& signer) const {
    Answer answer;
    answer.verb = message.verb;
    answer.time = now.wall;
    switch (message.verb) {
        case AdminVerb::status: answer_status(message, now, answer); break;
        case AdminVerb::list: answer_list(message, signer, answer); break;
        case AdminVerb::nodes:
        case AdminVerb::nodes_new: answer_nodes(message, now, answer); break;
        case AdminVerb::orders: answer_orders(message, now.wall, answer); break;
        case AdminVerb::calls: answer_calls(message, now.point, answer); break;
        case AdminVerb::order:
        case AdminVerb::take_back:
        case AdminVerb::nodes_remove: break;  // are answered when they are durable
    }
    return answer;
}

// ---- status ----

void Queries::answer_status(Admin const& message, Moment now, Answer& answer) const {
    auto const& log = parts_.state.release_log;
    auto const& peers = parts_.state.peers;
    AnswerPage page(answer.status);
    auto const nodes = asked(peers, message);
    auto software = static_cast<std::uint32_t>(message.cursor >> node_bits);
    auto node = std::max(nodes.first, static_cast<NodeNumber>(low(message.cursor, node_bits)));
    for (; auto const name = log.numbered(software); ++software, node = nodes.first) {
        if (message.software && *message.software != *name) continue;
        auto const* newest = log.newest(*name);
        for (; newest != nullptr && node < nodes.end; ++node) {
            if (!peers.is_enrolled(node)) continue;
            if (page.full()) return;
            page.add(status_row(*newest, peers.key_of(node), now));
            answer.next = std::uint64_t{software} << node_bits | (std::uint64_t{node} + 1);
        }
    }
    answer.next.reset();
}

StatusRow Queries::status_row(Release const& newest, PeerKey const& node, Moment now) const {
    auto row = reported_row(newest, node, now);
    // Clocks of nodes are wrong, and are set: nobody can have had a release before it was published.
    row.since = std::min(std::max(row.since, newest.entry.time), now.wall);
    if (auto const* trouble = parts_.facts.trouble(node)) row.why = *trouble;
    if (row.state != NodeState::held) add_hold(row, node, now.wall);
    return row;
}

// A hold counts from the moment when it is given, also while there is nothing that it keeps off.
void Queries::add_hold(StatusRow& row, PeerKey const& node, WallTime now) const {
    row.held = ordered_hold(row.node, row.software, now);
    if (!row.held) row.held = ordered_hold(row.node, std::nullopt, now);
    if (row.held) return;
    if (auto const known = parts_.state.node_status.find(row.software, node)) row.held = known->held;
}

std::optional<std::string> Queries::ordered_hold(NodeName const& node, OrderScope const& software, WallTime now) const {
    auto const* own = parts_.state.orders.of(node);
    for (auto const* set : {own, &parts_.state.orders.for_all()}) {
        auto const* order = set == nullptr ? nullptr : set->find(OrderKind::hold, software);
        if (order == nullptr || is_over(*order, nullptr, now)) continue;
        return fmt::format("held by operator {}{}", order->by, order->why.empty() ? "" : ": " + order->why);
    }
    return std::nullopt;
}

StatusRow Queries::reported_row(Release const& newest, PeerKey const& node, Moment now) const {
    auto const* peer = parts_.state.peers.find(node);
    LULL_INVARIANT(peer != nullptr);
    StatusRow row;
    row.software = newest.info.software;
    row.version = newest.info.version;
    row.seq = newest.entry.seq;
    if (auto name = NodeName::parse(peer->name)) row.node = *name;
    row.since = newest.entry.time;
    auto const known = parts_.state.node_status.find(row.software, node);
    if (!known) return row;
    if (known->active) {
        auto const* release = parts_.state.release_log.at(*known->active);
        row.active = release != nullptr ? std::optional(release->info.version) : known->active_version;
    }
    if (known->seq < newest.entry.seq) return row;
    row.state = known->state;
    row.since = known->since;
    if (known->seq > newest.entry.seq) {
        row.why = fmt::format(
            "has release {}, which this broker lost when it was restored; it stays until a newer one comes",
            known->seq.value);
        return row;
    }
    row.why = known->why;
    row.holders = known->holders;
    if (row.state == NodeState::staged) {
        if (auto why = parts_.rollouts.why_held(newest, node)) {
            row.state = NodeState::held;
            row.why = std::move(*why);
        }
    }
    if (row.state == NodeState::announced || row.state == NodeState::fetching) add_transfer(row, node, now.point);
    return row;
}

// How far the node's transfer is, and why not further.
void Queries::add_transfer(StatusRow& row, PeerKey const& node, TimePoint now) const {
    auto const session = parts_.sessions.session_of(node);
    if (!session) return;
    auto const position = parts_.delivery.sender().position(*session);
    if (!position) return;
    if (*position > 0) {
        row.state = NodeState::queued;
        row.why = fmt::format("number {} in the queue: {}", *position, to_text(Reason::place_in_queue));
        return;
    }
    row.state = NodeState::fetching;
    row.done = parts_.delivery.sender().sent_for(*session, row.software);
    auto const view = parts_.delivery.view(*session, now);
    if (view && view->reason != Reason::none) row.why = to_text(view->reason);
}

// ---- releases ----

// One pass over the log, which keeps a bounded number of releases of each software.
bool Queries::has_release_of(SoftwareName const& software, Ed25519Public const& signer) const {
    return std::ranges::any_of(parts_.state.release_log.log(), [&](Release const& release) {
        return release.info.software == software && is_signed_by(release, signer);
    });
}

void Queries::answer_list(Admin const& message, std::optional<Ed25519Public> const& signer, Answer& answer) const {
    auto const& log = parts_.state.release_log.log();
    AnswerPage page(answer.releases);
    auto const own = signer ? software_of(log, *signer) : std::set<SoftwareName>();
    auto const seq_of = [](Release const& release) { return release.entry.seq; };
    for (auto next = std::ranges::upper_bound(log, Seq{message.cursor}, {}, seq_of); next != log.end(); ++next) {
        if (message.software && *message.software != next->info.software) continue;
        if (signer && !own.contains(next->info.software)) continue;
        if (page.full()) return;
        auto row = release_row(*next);
        if (message.software) row.update = next->entry.update;
        page.add(std::move(row));
        answer.next = next->entry.seq.value;
    }
    answer.next.reset();
}

ReleaseRow Queries::release_row(Release const& release) const {
    auto const& state = parts_.state;
    auto const& info = release.info;
    bool const newest = state.release_log.newest(info.software)->entry.seq == release.entry.seq;
    return {info.software,
            info.version,
            release.entry.seq,
            release.entry.time,
            info.builds,
            state.node_status.counters(info.software).active_on(release.entry.seq),
            newest,
            parts_.patches.to_fetch(release),
            newest ? note_on(state.orders, release) : std::nullopt,
            info.callable,
            std::nullopt};
}

// ---- nodes ----

void Queries::answer_nodes(Admin const& message, Moment now, Answer& answer) const {
    auto const& peers = parts_.state.peers;
    AnswerPage page(answer.nodes);
    auto const nodes = asked(peers, message);
    for (auto node = std::uint64_t{nodes.first}; node < nodes.end; ++node) {
        auto const number = static_cast<NodeNumber>(node);
        if (node < message.cursor || !peers.is_enrolled(number)) continue;
        if (page.full()) return;
        page.add(node_row(peers.name_of(number), peers.key_of(number), now));
        answer.next = node + 1;
    }
    answer.next.reset();
}

NodeRow Queries::node_row(std::string const& name, PeerKey const& key, Moment now) const {
    NodeRow row;
    if (auto parsed = NodeName::parse(name)) row.node = *parsed;
    row.key = key;
    row.connected = parts_.sessions.connected(key);
    if (auto const* seen = parts_.state.last_seen.find(key)) {
        row.seen = seen->when;
        row.program = seen->program;
    }
    if (auto const ahead = parts_.facts.clock_ahead(key)) row.clock_ahead = ahead->count();
    auto notes = parts_.facts.notes(key, now.point);
    if (auto held = ordered_hold(row.node, std::nullopt, now.wall)) notes.push_back(std::move(*held));
    add_holds_of(key, now.wall, notes);
    if (!notes.empty()) row.notes = std::move(notes);
    return row;
}

// Holds of single pieces of software, or that were given on the node.
void Queries::add_holds_of(PeerKey const& key, WallTime now, std::vector<std::string>& notes) const {
    auto const& state = parts_.state;
    auto const* peer = state.peers.find(key);
    auto const name = peer == nullptr ? Result<NodeName>(NodeName()) : NodeName::parse(peer->name);
    for (auto const& [software, position] : state.release_log.software()) {
        if (notes.size() == limits::notes_per_node || !name) return;
        auto held = ordered_hold(*name, software, now);
        if (!held) {
            if (auto const known = state.node_status.find(software, key)) held = known->held;
        }
        if (held) notes.push_back(fmt::format("{}: {}", software.text(), *held));
    }
}

// ---- calls ----

void Queries::answer_calls(Admin const& message, TimePoint now, Answer& answer) const {
    auto const& table = parts_.calls.table();
    auto const& records = table.records();
    AnswerPage page(answer.calls.emplace());
    for (auto next = records.lower_bound(message.cursor); next != records.end(); ++next) {
        auto const& record = next->second;
        if (!table.is_shown(record)) continue;
        if (message.software && *message.software != record.request.software) continue;
        if (message.node && *message.node != record.caller_name) continue;
        if (page.full()) return;
        page.add(row_of(record, now));
        answer.next = record.number + 1;
    }
    answer.next.reset();
}

// ---- orders ----

// Those that still stand: for all nodes, then node by node.
void Queries::answer_orders(Admin const& message, WallTime now, Answer& answer) const {
    auto const& state = parts_.state;
    AnswerPage page(answer.orders.emplace());
    auto const node_number = message.cursor >> order_bits;  // plus one; 0: orders for all nodes
    auto first = low(message.cursor, order_bits);
    // False if the page is full and the set is not at its end.
    auto const add = [&](std::uint64_t number, std::optional<NodeName> const& node, OrderSet const& set) {
        if (message.node && node && *message.node != *node) return true;
        for (auto i = std::exchange(first, 0); i < set.orders.size(); ++i) {
            auto const& order = set.orders[i];
            if (message.software && order.software && *message.software != *order.software) continue;
            auto const* newest = order.software ? state.release_log.newest(*order.software) : nullptr;
            if (is_over(order, newest, now)) continue;
            if (page.full()) return false;
            page.add(order_row(state.release_log, node, order));
            answer.next = number << order_bits | (i + 1);
        }
        return true;
    };
    if (node_number == 0 && !add(0, std::nullopt, state.orders.for_all())) return;
    std::vector<std::pair<NodeNumber, std::pair<NodeName const, OrderSet> const*>> numbered;
    for (auto const& set : state.orders.by_node()) {
        auto const key = state.peers.key_of(set.first);
        if (auto const number = key ? state.peers.number_of(*key) : std::nullopt) numbered.emplace_back(*number, &set);
    }
    std::ranges::sort(numbered, {}, [](auto const& entry) { return entry.first; });
    for (auto const& [number, set] : numbered) {
        if (std::uint64_t{number} + 1 < node_number) continue;
        if (!add(std::uint64_t{number} + 1, set->first, set->second)) return;
    }
    answer.next.reset();
}

}  // namespace lull::broker
