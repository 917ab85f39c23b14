#pragma once

#include <optional>
#include <vector>

#include "publisher/cli/settings.hpp"
#include "schema/order.hpp"

namespace lull::publisher {

// One order that an operator gives or takes back, and its nodes.
struct OrderSettings {
    Connection connection;
    AdminVerb verb = AdminVerb::order;           // or take_back
    Order order;                                 // the broker adds who gave it, and when
    std::vector<std::optional<NodeName>> nodes;  // nothing: the order for all nodes
    Output output = Output::text;
    bool operator==(OrderSettings const&) const = default;
};

// From the arguments of the command of the same name; Fault::usage. `now`: for --for.
[[nodiscard]] Result<OrderSettings> hold_settings(Arguments const& arguments, WallTime now);
[[nodiscard]] Result<OrderSettings> unhold_settings(Arguments const& arguments);
[[nodiscard]] Result<OrderSettings> force_settings(Arguments const& arguments);
[[nodiscard]] Result<OrderSettings> retry_settings(Arguments const& arguments);
[[nodiscard]] Result<OrderSettings> pause_settings(Arguments const& arguments);
[[nodiscard]] Result<OrderSettings> resume_settings(Arguments const& arguments);
[[nodiscard]] Result<OrderSettings> withdraw_settings(Arguments const& arguments);

[[nodiscard]] Option why_option();

// The questions to the broker, one for each node.
[[nodiscard]] std::vector<Admin> messages_of(OrderSettings const& settings);

// Sends them one after the other and prints the orders that the broker answers. Orders before a failure stay in force.
[[nodiscard]] Status send_order(OrderSettings const& settings);

}  // namespace lull::publisher
