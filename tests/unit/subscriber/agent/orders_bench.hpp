#pragma once

#include "tests/unit/subscriber/agent/agent_bench.hpp"

// Orders as an agent hears them, and what tests look for.

namespace lull::subscriber::test {

inline Order order(OrderKind kind, std::uint64_t seq = 2, OrderScope about = software()) {
    Order order;
    order.kind = kind;
    order.software = std::move(about);
    if (kind != OrderKind::hold) order.seq = Seq{seq};
    order.since = WallTime{1'750'000'000'000'000};
    order.by = "anna";
    order.why = "because";
    return order;
}

inline Order share(std::uint64_t upto, std::uint64_t seq = 2) {
    auto made = order(OrderKind::share, seq);
    made.upto = upto;
    return made;
}

// The whole set of orders for all nodes.
inline Orders for_all(std::uint64_t revision, std::vector<Order> orders) {
    return {std::nullopt, revision, std::nullopt, std::nullopt, std::move(orders)};
}
inline Orders for_node(std::uint64_t revision, std::vector<Order> orders, std::string_view node = "till-17") {
    return {*NodeName::parse(node), revision, std::nullopt, std::nullopt, std::move(orders)};
}

inline Holder holder(std::uint64_t pid) {
    return {pid, 1000, "kiosk", "kiosk --full", WallTime{static_cast<std::int64_t>(pid)}, std::nullopt};
}

inline Report last_report(Actions const& actions) {
    auto const reports = sent<Report>(actions);
    REQUIRE_FALSE(reports.empty());
    return reports.back();
}

// Heard on the announce channel, and durable.
inline Actions ordered(Bench& bench, Orders orders) {
    auto actions = bench.on(AnnouncementHeard{std::move(orders)});
    Bench::append(actions, bench.all_durable());
    return actions;
}

// Release 1 is active and works; release 2, made as the bench says, is staged. What the last step ordered.
inline Actions second_staged(Bench& bench) {
    bench.check_in();
    auto const how = std::exchange(bench.activation, std::nullopt);
    auto const steps = std::exchange(bench.rollout, std::nullopt);
    bench.record(1);
    bench.to_active(1);
    bench.activation = how;
    bench.rollout = steps;
    bench.record(2);
    return bench.to_staged(2);
}

// A bench on which these are active, reported and noted, and the exchange is open.
inline void settle(Bench& bench, std::vector<std::pair<std::uint64_t, std::string>> const& releases) {
    bench.check_in();
    for (auto const& [seq, name] : releases) {
        bench.record(seq, name);
        bench.to_active(seq, name);
        bench.hear(ReportAck{software(name), bench.state(name).revision});
        bench.all_durable();
    }
}

inline bool says(Actions const& actions, std::string_view words) {
    auto const said = all<Say>(actions);
    return std::any_of(said.begin(), said.end(),
                       [&](Say const& say) { return say.text.find(words) != std::string::npos; });
}

// Another life of the same node, from what its journal holds.
inline Bench restarted(Bench const& before, std::uint64_t current, NodeRules rules = {}) {
    return Bench(before.agent.state(), {{software(), Bench::id(current)}},
                 *SigningKey::from_pem(before.key.to_pem(""), ""), std::move(rules));
}

}  // namespace lull::subscriber::test
