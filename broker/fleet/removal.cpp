#include "broker/fleet/removal.hpp"

#include <algorithm>

namespace lull::broker {

Result<std::vector<Removal::Leaving>> Removal::find(std::vector<NodeName> const& nodes) const {
    if (nodes.empty()) return fail(Fault::refused, "there is no node in this message");
    std::vector<Leaving> found;
    std::vector<std::string> unknown;
    for (auto const& name : nodes) {
        auto const key = parts_.peers.key_of(name);
        if (!key) {
            unknown.push_back(fmt::format("'{}'", name.text()));
        } else if (std::ranges::find(found, *key, &Leaving::key) == found.end()) {
            found.push_back({name, *key});
        }
    }
    if (unknown.empty()) return found;
    return fail(Fault::refused, "there is no node named {} here ('lull nodes' shows them); no node was removed",
                fmt::join(unknown, ", "));
}

// A row that a node has reported and that is on its way to the disk comes before this batch; none comes behind it.
store::Batch Removal::leave(std::vector<Leaving> const& nodes, Moment now) {
    store::Batch batch;
    for (auto const& [name, key] : nodes) {
        parts_.peers.leave(key);
        parts_.last_seen.keep_unwritten(key);
        parts_.sessions.end_all_of(
            key, "this node was removed from the fleet; to enrol it again, run 'lull nodes new' and 'lull-node join'",
            now);
        effects_.act(CloseConnections{key});
        batch.push_back(Peers::removal(key));
        batch.push_back(LastSeen::removal(key));
        auto rows = parts_.node_status.removal(key);
        batch.insert(batch.end(), std::make_move_iterator(rows.begin()), std::make_move_iterator(rows.end()));
        for (auto const& kept : kept_) batch.push_back(kept.on_disk(name));
    }
    return batch;
}

void Removal::forget(Leaving const& node) {
    auto const number = parts_.peers.number_of(node.key);
    parts_.presence.forget(*number);
    parts_.node_status.forget(node.key);
    parts_.last_seen.forget(node.key);
    parts_.facts.forget(node.key);
    for (auto const& kept : kept_) kept.forget(node.name);
    parts_.peers.remove(node.key);
    for (auto* const observer : observers_) observer->removed(*number);
}

void Removal::remove(Request const& request, Moment now, std::function<void(Moment)> then) {
    auto const nodes = find(request.nodes);
    if (!nodes) return effects_.refuse(request.session, Refusal::invalid, nodes.error().message);
    auto const by = parts_.peers.find(request.by)->name;
    effects_.persist(leave(*nodes, now), [this, session = request.session, by, nodes = *nodes, then = std::move(then)](
                                             Status const& status, Moment later) {
        if (!status) {
            for (auto const& node : nodes) parts_.peers.stay(node.key);
            return effects_.refuse(session, Refusal::no_space,
                                   fmt::format("no node was removed: {}", status.error().message));
        }
        for (auto const& node : nodes) {
            forget(node);
            effects_.say(LogLevel::info, fmt::format("operator '{}' has removed node '{}'", by, node.name.text()));
        }
        then(later);
    });
}

}  // namespace lull::broker
