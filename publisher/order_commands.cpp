#include "core/clock.hpp"
#include "core/duration.hpp"
#include "publisher/commands.hpp"
#include "publisher/settings.hpp"
#include "publisher/views.hpp"
#include "schema/limits.hpp"

// What operators order the nodes: hold, force, pause, resume, withdraw.

namespace lull::publisher {

namespace {

Result<std::vector<std::optional<NodeName>>> nodes_of(std::vector<std::string> const& names) {
    std::vector<std::optional<NodeName>> nodes;
    for (auto const& name : names) {
        auto node = NodeName::parse(name);
        if (!node) return pass(node.error());
        nodes.emplace_back(std::move(*node));
    }
    return nodes;
}

Result<OrderScope> scope_of(std::string const& text) {
    if (text.empty()) return OrderScope();
    auto software = SoftwareName::parse(text);
    if (!software) return pass(software.error());
    return OrderScope(std::move(*software));
}

Status check_reason(std::string const& why) {
    if (why.size() <= limits::order_text) return {};
    return fail(Fault::usage, "--why is {} bytes long, and may be {}", why.size(), limits::order_text);
}

// One after the other; what came before a failure stands.
Status tell_all(Arguments const& arguments, AdminVerb verb, Order const& order, std::vector<std::optional<NodeName>> const& nodes) {
    auto const options = connection_of(arguments);
    if (!options) return pass(options.error());
    Answer all;
    for (auto const& node : nodes) {
        Admin message;
        message.verb = verb;
        message.node = node;
        message.order = order;
        auto const answer = request(*options, message);
        if (!answer) return pass(answer.error());
        all.time = answer->time;
        if (!all.orders) all.orders.emplace();
        if (answer->orders) all.orders->insert(all.orders->end(), answer->orders->begin(), answer->orders->end());
    }
    if (arguments.flag("json")) return print_json(orders_json(all));
    std::string text;
    for (auto const& row : *all.orders) text += (verb == AdminVerb::order ? "" : "taken back: ") + order_text(row, all.time) + "\n";
    return print(text);
}

Result<Order> order_from(Arguments const& arguments, OrderKind kind) {
    Order order;
    order.kind = kind;
    auto scope = scope_of(positional_or_empty(arguments, 0));
    if (!scope) return pass(scope.error());
    order.software = std::move(*scope);
    order.why = arguments.text("why");
    if (auto const fits = check_reason(order.why); !fits) return pass(fits.error());
    return order;
}

Status give(Arguments const& arguments, OrderKind kind) {
    auto const order = order_from(arguments, kind);
    return order ? tell_all(arguments, AdminVerb::order, *order, {std::nullopt}) : pass(order.error());
}

Status check_scope(Arguments const& arguments, Order const& order) {
    if (arguments.flag("all") == !order.software.has_value()) return {};
    return fail(Fault::usage, "name one SOFTWARE, or say --all for every software");
}

Result<std::vector<std::optional<NodeName>>> named_nodes(Arguments const& arguments) {
    if (!arguments.has("node")) return std::vector<std::optional<NodeName>>{std::nullopt};
    return nodes_of(arguments.all("node"));
}

Status hold(Arguments const& arguments) {
    auto order = order_from(arguments, OrderKind::hold);
    if (!order) return pass(order.error());
    if (auto const clear = check_scope(arguments, *order); !clear) return clear;
    if (arguments.has("for")) {
        auto const length = parse_duration(arguments.text("for"));
        if (!length) return fail(Fault::usage, "--for: {}", length.error().message);
        order->until = WallTime{SystemClock().wall().micros + std::chrono::microseconds(*length).count()};
    }
    auto const nodes = named_nodes(arguments);
    return nodes ? tell_all(arguments, AdminVerb::order, *order, *nodes) : pass(nodes.error());
}

Status unhold(Arguments const& arguments) {
    auto const order = order_from(arguments, OrderKind::hold);
    if (!order) return pass(order.error());
    if (auto const clear = check_scope(arguments, *order); !clear) return clear;
    auto const nodes = named_nodes(arguments);
    return nodes ? tell_all(arguments, AdminVerb::take_back, *order, *nodes) : pass(nodes.error());
}

Status force(Arguments const& arguments) {
    auto order = order_from(arguments, OrderKind::force);
    if (!order) return pass(order.error());
    if (arguments.flag("restart")) order->restart = true;
    auto const& positional = arguments.positional();
    auto nodes = nodes_of({positional.begin() + 1, positional.end()});
    if (!nodes) return pass(nodes.error());
    if (nodes->empty() != arguments.flag("all")) return fail(Fault::usage, "name the nodes, or say --all for every node");
    if (nodes->empty()) nodes->emplace_back(std::nullopt);
    return tell_all(arguments, AdminVerb::order, *order, *nodes);
}

Status pause(Arguments const& arguments) { return give(arguments, OrderKind::pause); }
Status withdraw(Arguments const& arguments) { return give(arguments, OrderKind::withdraw); }

Status resume(Arguments const& arguments) {
    auto const order = order_from(arguments, OrderKind::pause);
    return order ? tell_all(arguments, AdminVerb::take_back, *order, {std::nullopt}) : pass(order.error());
}

Status orders(Arguments const& arguments) {
    auto const scope = scope_of(positional_or_empty(arguments, 0));
    if (!scope) return pass(scope.error());
    auto const options = connection_of(arguments);
    if (!options) return pass(options.error());
    Admin question;
    question.verb = AdminVerb::orders;
    question.software = *scope;
    auto const answer = request(*options, question);
    if (!answer) return pass(answer.error());
    return arguments.flag("json") ? print_json(orders_json(*answer)) : print(orders_text(*answer, painting_for_output()));
}

Option why_option() { return {.name = "why", .help = "shown to whoever wonders", .placeholder = "TEXT"}; }
Option json_option() { return {.name = "json", .help = "print JSON"}; }

}  // namespace

Command orders_command() {
    return {.name = "orders",
            .summary = "show which orders stand: holds, pauses, rollouts, ...",
            .positional = {"[SOFTWARE]"},
            .options = {json_option()},
            .example = "lull orders",
            .run = orders};
}

Command hold_command() {
    return {.name = "hold",
            .summary = "keep software as it is on the nodes: releases are fetched and staged, but not switched to",
            .positional = {"[SOFTWARE]"},
            .options = {{.name = "all", .help = "every software"},
                        {.name = "node", .help = "only on this node (default: on all)", .placeholder = "NAME", .many = true},
                        {.name = "for", .help = "so long only, like 2h or 7d", .placeholder = "TIME"},
                        why_option(),
                        json_option()},
            .example = "lull hold kiosk-browser --node till-17 --for 2h --why 'inventory'",
            .run = hold};
}

Command unhold_command() {
    return {.name = "unhold",
            .summary = "let software change again; holds that were set on a node itself stay",
            .positional = {"[SOFTWARE]"},
            .options = {{.name = "all", .help = "take back the hold of every software; holds of single ones stay"},
                        {.name = "node", .help = "the hold on this node (default: the one on all nodes)", .placeholder = "NAME", .many = true},
                        json_option()},
            .example = "lull unhold kiosk-browser --node till-17",
            .run = unhold};
}

Command nodes_force_command() {
    return {.name = "nodes force",
            .summary = "make the newest release live on nodes now, whatever holds it: holds, time windows, rollout, users",
            .positional = {"SOFTWARE", "[NODE...]"},
            .options = {{.name = "all", .help = "every node"},
                        {.name = "restart", .help = "ask who uses it to end, and end it (default: who uses it keeps its files)"},
                        why_option(),
                        json_option()},
            .example = "lull nodes force kiosk-browser till-17 till-18",
            .run = force};
}

Command pause_command() {
    return {.name = "pause",
            .summary = "let the newest release become live on no further node; it is fetched and staged all the same",
            .positional = {"SOFTWARE"},
            .options = {why_option(), json_option()},
            .example = "lull pause kiosk-browser --why 'calls from shops'",
            .run = pause};
}

Command resume_command() {
    return {.name = "resume",
            .summary = "go on with a release that is paused, also by its rollout; failures until now are accepted",
            .positional = {"SOFTWARE"},
            .options = {json_option()},
            .example = "lull resume kiosk-browser",
            .run = resume};
}

Command withdraw_command() {
    return {.name = "withdraw",
            .summary = "let nobody have the newest release any more who does not have it live; for good",
            .positional = {"SOFTWARE"},
            .options = {why_option(), json_option()},
            .example = "lull withdraw kiosk-browser --why 'wrong price list'",
            .run = withdraw};
}

}  // namespace lull::publisher
