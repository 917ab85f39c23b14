#include "broker/orders/order_book.hpp"

namespace lull::broker {

namespace {

constexpr std::string_view key_of_all = "@all";  // no name of a node

}  // namespace

Status OrderBook::load(View key, View value) {
    auto set = decode<OrderSet>(value, limits::control_message);
    if (!set) return fail(Fault::damaged, "table '{}': {}", table, set.error().message);
    if (as_text(key) == key_of_all) {
        for_all_ = std::move(*set);
        return {};
    }
    auto node = NodeName::parse(as_text(key));
    if (!node) return fail(Fault::damaged, "table '{}': {}", table, node.error().message);
    by_node_[std::move(*node)] = std::move(*set);
    return {};
}

OrderSet const* OrderBook::of(NodeName const& node) const {
    auto const found = by_node_.find(node);
    return found == by_node_.end() ? nullptr : &found->second;
}

OrderSet OrderBook::copy(std::optional<NodeName> const& node) const {
    if (!node) return for_all_;
    auto const* set = of(*node);
    return set == nullptr ? OrderSet() : *set;
}

store::Change OrderBook::change(std::optional<NodeName> const& node, OrderSet const& set) {
    return {table, to_buffer(as_view(node ? std::string_view(node->text()) : key_of_all)), encode(set)};
}

store::Change OrderBook::removal(NodeName const& node) {
    return {table, to_buffer(as_view(node.text())), std::nullopt};
}

void OrderBook::adopt(std::optional<NodeName> const& node, OrderSet set) {
    (node ? by_node_[*node] : for_all_) = std::move(set);
}

}  // namespace lull::broker
