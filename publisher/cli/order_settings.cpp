#include "publisher/cli/order_settings.hpp"

#include "core/duration.hpp"
#include "publisher/cli/orders_view.hpp"
#include "publisher/client/query.hpp"
#include "schema/limits.hpp"

namespace lull::publisher {

namespace {

using Nodes = std::vector<std::optional<NodeName>>;

Result<Nodes> nodes_of(std::vector<std::string> const& names) {
    Nodes nodes;
    for (auto const& name : names) {
        auto node = NodeName::parse(name);
        if (!node) return pass(node.error());
        nodes.emplace_back(std::move(*node));
    }
    if (nodes.empty()) nodes.emplace_back(std::nullopt);
    return nodes;
}

// What all orders have: connection, SOFTWARE, --why and --json; for all nodes.
Result<OrderSettings> settings_of(Arguments const& arguments, AdminVerb verb, OrderKind kind) {
    OrderSettings settings{connection_of(arguments), verb, {}, {std::nullopt}, output_of(arguments)};
    settings.order.kind = kind;
    auto software = optional_software(arguments, 0);
    if (!software) return pass(software.error());
    settings.order.software = std::move(*software);
    settings.order.why = arguments.text("why");
    if (settings.order.why.size() <= limits::order_text) return settings;
    return fail(Fault::usage, "--why is {} bytes long; the limit is {}", settings.order.why.size(), limits::order_text);
}

// A hold is for one software or for all, on the nodes of --node or on all.
Result<OrderSettings> hold_of(Arguments const& arguments, AdminVerb verb) {
    auto settings = settings_of(arguments, verb, OrderKind::hold);
    if (!settings) return settings;
    if (arguments.flag("all") == settings->order.software.has_value())
        return fail(Fault::usage, "name one SOFTWARE, or add --all for every software");
    auto nodes = nodes_of(arguments.all("node"));
    if (!nodes) return pass(nodes.error());
    settings->nodes = std::move(*nodes);
    return settings;
}

}  // namespace

Result<OrderSettings> hold_settings(Arguments const& arguments, WallTime now) {
    auto settings = hold_of(arguments, AdminVerb::order);
    if (!settings || !arguments.has("for")) return settings;
    auto const length = parse_duration(arguments.text("for"));
    if (!length) return fail(Fault::usage, "--for: {}", length.error().message);
    if (length->count() == 0) return fail(Fault::usage, "--for is 0: a hold has to last; 'unhold' ends one");
    settings->order.until = WallTime{now.micros + std::chrono::microseconds(*length).count()};
    return settings;
}

Result<OrderSettings> unhold_settings(Arguments const& arguments) { return hold_of(arguments, AdminVerb::take_back); }

Result<OrderSettings> force_settings(Arguments const& arguments) {
    auto settings = settings_of(arguments, AdminVerb::order, OrderKind::force);
    if (!settings) return settings;
    if (arguments.flag("restart")) settings->order.restart = true;
    std::vector<std::string> const names(arguments.positional().begin() + 1, arguments.positional().end());
    if (names.empty() != arguments.flag("all"))
        return fail(Fault::usage, "name the nodes, or add --all for every node");
    auto nodes = nodes_of(names);
    if (!nodes) return pass(nodes.error());
    settings->nodes = std::move(*nodes);
    return settings;
}

// Without nodes: all, because only those on which the release has failed do anything.
Result<OrderSettings> retry_settings(Arguments const& arguments) {
    auto settings = settings_of(arguments, AdminVerb::order, OrderKind::retry);
    if (!settings) return settings;
    auto nodes = nodes_of({arguments.positional().begin() + 1, arguments.positional().end()});
    if (!nodes) return pass(nodes.error());
    settings->nodes = std::move(*nodes);
    return settings;
}

Result<OrderSettings> pause_settings(Arguments const& arguments) {
    return settings_of(arguments, AdminVerb::order, OrderKind::pause);
}

Result<OrderSettings> resume_settings(Arguments const& arguments) {
    return settings_of(arguments, AdminVerb::take_back, OrderKind::pause);
}

Result<OrderSettings> withdraw_settings(Arguments const& arguments) {
    return settings_of(arguments, AdminVerb::order, OrderKind::withdraw);
}

Option why_option() {
    return {.name = "why", .help = "reason, shown in status, orders and list", .placeholder = "TEXT"};
}

std::vector<Admin> messages_of(OrderSettings const& settings) {
    std::vector<Admin> messages;
    for (auto const& node : settings.nodes) {
        Admin message;
        message.verb = settings.verb;
        message.node = node;
        message.order = settings.order;
        messages.push_back(std::move(message));
    }
    return messages;
}

Status send_order(OrderSettings const& settings) {
    auto const options = client_options(settings.connection);
    if (!options) return pass(options.error());
    Answer all;
    all.orders.emplace();
    for (auto const& message : messages_of(settings)) {
        auto const answer = request(*options, message);
        if (!answer) return pass(answer.error());
        all.time = answer->time;
        if (answer->orders) all.orders->insert(all.orders->end(), answer->orders->begin(), answer->orders->end());
    }
    if (settings.output == Output::json) return print_json(orders_json(all));
    std::string text;
    for (auto const& row : *all.orders)
        text += (settings.verb == AdminVerb::order ? "" : "taken back: ") + order_text(row, all.time) + "\n";
    return print(text);
}

}  // namespace lull::publisher
