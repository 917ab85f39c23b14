#pragma once

#include <map>
#include <optional>

#include "schema/messages.hpp"
#include "store/environment.hpp"

namespace lull::broker {

// The orders that stand: a set for all nodes, and one for each node that there is something to say to. Kept in the
// table `orders`. A set is replaced when the new one is durable, and has another revision then, so that a node sees by
// the number whether it has missed something.
class OrderBook {
public:
    static constexpr char const* table = "orders";

    [[nodiscard]] Status load(View key, View value);

    [[nodiscard]] OrderSet const& for_all() const { return for_all_; }
    // Null: none were ever given to this node.
    [[nodiscard]] OrderSet const* of(NodeName const& node) const;
    [[nodiscard]] std::map<NodeName, OrderSet> const& by_node() const { return by_node_; }

    // No node: the set for all.
    [[nodiscard]] OrderSet copy(std::optional<NodeName> const& node) const;
    [[nodiscard]] static store::Change change(std::optional<NodeName> const& node, OrderSet const& set);
    void adopt(std::optional<NodeName> const& node, OrderSet set);
    // A node is removed from the fleet: on disk, and in memory.
    [[nodiscard]] static store::Change removal(NodeName const& node);
    void forget(NodeName const& node) { by_node_.erase(node); }

private:
    OrderSet for_all_;
    std::map<NodeName, OrderSet> by_node_;
};

}  // namespace lull::broker
