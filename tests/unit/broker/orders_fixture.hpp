#pragma once

#include "broker_fixture.hpp"

// What the tests of orders and rollouts share.

namespace lull::broker::test {

inline Order order(OrderKind kind, OrderScope about = software("app")) {
    Order order;
    order.kind = kind;
    order.software = std::move(about);
    order.why = "because";
    return order;
}

inline Admin give(Order order, std::optional<NodeName> node = std::nullopt) {
    Admin message;
    message.verb = AdminVerb::order;
    message.order = std::move(order);
    message.node = std::move(node);
    return message;
}

inline Admin take_back(OrderKind kind, OrderScope about = software("app"),
                       std::optional<NodeName> node = std::nullopt) {
    auto message = give(order(kind, std::move(about)), std::move(node));
    message.verb = AdminVerb::take_back;
    return message;
}

inline Admin list_orders() {
    Admin message;
    message.verb = AdminVerb::orders;
    return message;
}

// Everything becomes durable, also what follows from it. All actions on the way.
inline Actions settle(World& world, Actions actions) {
    auto everything = actions;
    while (!all<Persist>(actions).empty()) {
        actions = world.finish(actions);
        append(everything, actions);
    }
    return everything;
}

inline Refused refusal(World& world, Message message) {
    return only<Refused>(world.from_operator(std::move(message)), World::at_operator);
}

// Releases of "app", the last of which is the newest.
inline void publish(World& world, std::initializer_list<std::string_view> versions) {
    for (auto const version : versions) settle(world, world.publish(make_release("app", version, {})));
}

// A release of "app" whose nodes take turns.
inline TestRelease rolled_out(std::string_view version, Rollout rollout) {
    auto release = make_release("app", version, {});
    release.info.rollout = std::move(rollout);
    return release;
}

// The numbers of a world's nodes in the order in which they take turns.
inline std::vector<std::size_t> awaiting_rollout(World const& world, std::string_view version_text) {
    std::vector<std::pair<std::uint64_t, std::size_t>> places;
    for (std::size_t i = 0; i < world.broker.state().peers.nodes().size(); ++i) {
        places.emplace_back(
            place_in_rollout(software("app"), version(version_text), node_name(fmt::format("node-{:04}", i))), i);
    }
    std::ranges::sort(places);
    std::vector<std::size_t> numbers;
    for (auto const& [place, number] : places) numbers.push_back(number);
    return numbers;
}

// The report of a node on a release of "app" becomes durable, and the broker's next second begins.
inline Actions reports(World& world, std::size_t node, Seq seq, NodeState state, std::string_view why = "") {
    static std::uint64_t revision = 0;
    Report report;
    report.software = software("app");
    report.seq = seq;
    report.state = state;
    report.revision = ++revision;
    report.since = world.now.wall;
    report.why = why;
    if (state == NodeState::active) report.active = seq;
    if (!world.broker.connected(World::node_key(node))) world.hello(node);
    auto actions = settle(world, world.from_node(node, report));
    world.pass(std::chrono::seconds(1));
    append(actions, settle(world, world.on(Tick{})));
    return actions;
}

}  // namespace lull::broker::test
