#include <algorithm>

#include "broker/broker.hpp"

// ADMIN and its ANSWERs: what an operator asks the broker.

namespace lull::broker {

namespace {

constexpr Bytes answer_page = KiB(512);  // encoded rows; the longest single row has less than the rest of a message

// A page of `total` rows from `cursor`: puts `row(i)` behind `rows` until there are enough, and says where the next page begins.
template <class Row, class Make>
std::optional<std::uint64_t> page(std::uint64_t cursor, std::uint64_t total, std::vector<Row>& rows, Make row) {
    Bytes bytes;
    auto i = std::min(cursor, total);
    while (i < total && rows.size() < limits::rows_per_answer && bytes < answer_page) {
        rows.push_back(row(i++));
        bytes += Bytes(encode(rows.back()).size());
    }
    if (i == total) return std::nullopt;
    return i;
}

}  // namespace

void Broker::on_message(SessionId id, Session& session, Admin const& message, Moment now) {
    if (message.verb == AdminVerb::nodes_new) return enrol(id, message, now);
    if (message.software && !state_.catalogue.newest(*message.software)) {
        return refuse(id, Refusal::invalid, fmt::format("there is no software named '{}' here", message.software->text()));
    }
    if (message.node && !state_.peers.key_of(*message.node)) {
        return refuse(id, Refusal::invalid, fmt::format("there is no node named '{}' here", message.node->text()));
    }
    if (message.verb == AdminVerb::order) return give_order(id, session, message, now);
    if (message.verb == AdminVerb::take_back) return take_order_back(id, session, message, now);
    send(id, answer(message, now));
}

void Broker::enrol(SessionId id, Admin const& message, Moment now) {
    if (!message.node || !message.key) return refuse(id, Refusal::invalid, "a new node needs a name and a key");
    Peer const peer{message.node->text(), Role::node, std::nullopt, now.wall};
    if (auto fits = state_.peers.check_new(*message.key, peer); !fits) return refuse(id, Refusal::conflict, fits.error().message);
    bool const taken = std::any_of(enrolling_.begin(), enrolling_.end(), [&](auto const& other) {
        return other.first == peer.name || other.second == *message.key;
    });
    if (taken) return refuse(id, Refusal::conflict, "this node is being enrolled by somebody else");
    enrolling_.emplace(peer.name, *message.key);
    // It may connect only after this is durable: a key that a crash forgets must not have been let in.
    persist({Peers::change(*message.key, peer)}, [this, id, key = *message.key, peer, message](Status const& status, Moment then) {
        enrolling_.erase({peer.name, key});
        if (!status) return refuse(id, Refusal::no_space, fmt::format("the broker could not record the node: {}", status.error().message));
        state_.peers.add(key, peer);
        say(LogLevel::info, fmt::format("enrolled node '{}'", peer.name));
        auto row = message;
        row.cursor = 0;
        send(id, answer(row, then));
    });
}

Answer Broker::answer(Admin const& message, Moment now) const {
    Answer answer;
    answer.verb = message.verb;
    answer.time = now.wall;
    switch (message.verb) {
        case AdminVerb::status: answer_status(message, now.point, answer); break;
        case AdminVerb::list: answer_list(message, answer); break;
        case AdminVerb::nodes:
        case AdminVerb::nodes_new: answer_nodes(message, answer); break;
        case AdminVerb::orders: answer_orders(message, now.wall, answer); break;
        case AdminVerb::order:
        case AdminVerb::take_back: break;  // are answered when they are durable
    }
    return answer;
}

void Broker::answer_status(Admin const& message, TimePoint now, Answer& answer) const {
    std::vector<Release const*> releases;
    for (auto const& [software, position] : state_.catalogue.software()) {
        if (!message.software || *message.software == software) releases.push_back(&state_.catalogue.log()[position]);
    }
    std::vector<PeerKey> nodes;
    for (auto const& [name, key] : state_.peers.nodes()) {
        if (!message.node || message.node->text() == name) nodes.push_back(key);
    }
    if (nodes.empty()) return;
    answer.next = page(message.cursor, releases.size() * nodes.size(), answer.status, [&](std::uint64_t i) {
        return status_row(*releases[i / nodes.size()], nodes[i % nodes.size()], now);
    });
}

StatusRow Broker::status_row(Release const& newest, PeerKey const& node, TimePoint now) const {
    auto const* peer = state_.peers.find(node);
    LULL_INVARIANT(peer != nullptr);
    StatusRow row;
    row.software = newest.info.software;
    row.version = newest.info.version;
    row.seq = newest.entry.seq;
    if (auto name = NodeName::parse(peer->name)) row.node = *name;
    row.since = newest.entry.time;
    auto const* known = state_.ledger.find(row.software, node);
    if (known == nullptr) return row;
    if (known->active) {
        if (auto const* release = state_.catalogue.at(*known->active)) row.active = release->info.version;
    }
    if (known->seq > newest.entry.seq) {
        row.state = known->state;
        row.since = known->since;
        row.why = fmt::format("has release {}, which this broker lost when it was restored; it stays until a newer one comes",
                              known->seq.value);
        return row;
    }
    if (known->seq != newest.entry.seq) return row;
    row.state = known->state;
    row.since = known->since;
    row.why = known->why;
    row.holders = known->holders;
    auto const session = node_sessions_.find(node);
    bool const fetching = row.state == NodeState::announced || row.state == NodeState::downloading;
    if (session == node_sessions_.end() || !fetching) return row;
    if (auto const position = sender_.position(session->second); position && *position > 0) {
        row.state = NodeState::queued;
        row.why = fmt::format("number {} in the queue: {}", *position, to_text(Reason::place_in_queue));
    } else if (position) {
        row.state = NodeState::downloading;
        row.done = sender_.sent_for(session->second, row.software);
        auto const view = governor_.view(session->second, now);
        if (view && view->reason != Reason::none) row.why = to_text(view->reason);
    }
    return row;
}

void Broker::answer_list(Admin const& message, Answer& answer) const {
    std::vector<Release const*> releases;
    for (auto const& release : state_.catalogue.log()) {
        if (!message.software || *message.software == release.info.software) releases.push_back(&release);
    }
    std::stable_sort(releases.begin(), releases.end(), [](auto* a, auto* b) { return a->info.software < b->info.software; });
    answer.next = page(message.cursor, releases.size(), answer.releases, [&](std::uint64_t i) {
        auto const& release = *releases[i];
        bool const newest = state_.catalogue.newest(release.info.software)->entry.seq == release.entry.seq;
        auto const active = state_.ledger.active_on(release.info.software, release.entry.seq);
        return ReleaseRow{release.info.software, release.info.version, release.entry.seq, release.entry.time,
                          release.info.builds, active, newest, to_fetch_from(release, newest), newest ? note_on(release) : std::nullopt};
    });
}

// As far as there are patches.
std::optional<Bytes> Broker::to_fetch_from(Release const& release, bool newest) const {
    std::optional<Bytes> most;
    for (auto const& [id, made] : state_.patches.all()) {
        if (!has_manifest(release, newest ? id.to : id.from) || !is_useful(id)) continue;
        most = std::max(most, std::optional(newest ? made.whole : made.to_fetch));
    }
    return most;
}

void Broker::answer_orders(Admin const& message, WallTime now, Answer& answer) const {
    auto const rows = standing_orders(message, now);
    answer.next = page(message.cursor, rows.size(), answer.orders.emplace(), [&](std::uint64_t i) { return rows[i]; });
}

void Broker::answer_nodes(Admin const& message, Answer& answer) const {
    std::vector<std::pair<std::string, PeerKey>> nodes;
    for (auto const& [name, key] : state_.peers.nodes()) {
        if (!message.node || message.node->text() == name) nodes.emplace_back(name, key);
    }
    answer.next = page(message.cursor, nodes.size(), answer.nodes, [&](std::uint64_t i) {
        NodeRow row;
        if (auto name = NodeName::parse(nodes[i].first)) row.node = *name;
        row.key = nodes[i].second;
        row.connected = node_sessions_.contains(row.key);
        if (auto const* seen = state_.sightings.find(row.key)) {
            row.seen = seen->when;
            row.program = seen->program;
        }
        return row;
    });
}

}  // namespace lull::broker
