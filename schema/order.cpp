#include "schema/order.hpp"

#include <algorithm>

#include "core/text.hpp"
#include "schema/limits.hpp"

namespace lull {

std::string_view to_text(OrderKind kind) {
    switch (kind) {
        case OrderKind::hold: return "hold";
        case OrderKind::force: return "force";
        case OrderKind::pause: return "pause";
        case OrderKind::withdraw: return "withdraw";
        case OrderKind::share: return "rollout";
        case OrderKind::retry: return "retry";
    }
    return "unknown order";
}

Order const* OrderSet::find(OrderKind kind, OrderScope const& scope) const {
    auto const found = std::ranges::find_if(
        orders, [&](Order const& order) { return order.kind == kind && order.software == scope; });
    return found == orders.end() ? nullptr : &*found;
}

Order const* OrderSet::find(OrderKind kind, SoftwareName const& software, Seq seq) const {
    auto const* order = find(kind, software);
    return order != nullptr && order->seq == seq ? order : nullptr;
}

std::vector<Order> OrderSet::of(OrderScope const& scope) const {
    std::vector<Order> found;
    std::ranges::copy_if(orders, std::back_inserter(found),
                         [&](Order const& order) { return order.software == scope; });
    return found;
}

void OrderSet::put(Order order) {
    remove(order.kind, order.software);
    orders.push_back(std::move(order));
}

bool OrderSet::remove(OrderKind kind, OrderScope const& scope) {
    return std::erase_if(orders, [&](Order const& order) { return order.kind == kind && order.software == scope; }) > 0;
}

void OrderSet::replace(OrderScope const& scope, std::vector<Order> const& others) {
    std::erase_if(orders, [&](Order const& order) { return order.software == scope; });
    orders.insert(orders.end(), others.begin(), others.end());
}

Status validate(Order const& order) {
    if (order.by.size() > limits::order_text || order.why.size() > limits::order_text) {
        return fail(Fault::refused, "the reason of an order is longer than {} bytes", limits::order_text);
    }
    if (order.kind == OrderKind::hold) {
        if (!order.seq) return {};
        return fail(Fault::refused, "a hold is about software, not about a release of it");
    }
    if (!order.software || !order.seq) return fail(Fault::refused, "'{}' names no release", to_text(order.kind));
    if (order.until) return fail(Fault::refused, "'{}' does not end by itself", to_text(order.kind));
    if (order.kind == OrderKind::share && !order.upto)
        return fail(Fault::refused, "a rollout does not say whose turn it is");
    return {};
}

}  // namespace lull
