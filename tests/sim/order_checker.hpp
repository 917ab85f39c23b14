#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "broker/broker.hpp"
#include "tests/sim/library.hpp"
#include "tests/sim/node_disk.hpp"
#include "tests/sim/tables.hpp"

namespace lull::sim {

// Holds a run against what operators and rollouts are promised. It knows what operators were answered, what is durable
// at the broker and at the nodes, and what releases say; it asks neither the broker's decisions nor the nodes' rules.
class OrderChecker {
public:
    using Violated = std::function<void(std::string)>;
    OrderChecker(World& world, Library const& library, Violated violated)
        : world_(world),
          library_(library),
          violated_(std::move(violated)) {}

    // ---- the broker ----
    void enrolled(PeerKey const& key, NodeName const& node) { nodes_[key] = node; }
    void removed(PeerKey const& key);
    // `told`: the ledger that it goes by, ahead of the durable one by what is on its way to the disk.
    void broker_wrote(store::Batch const& batch, broker::NodeStatusTable const& told);
    void broker_starts(broker::OrderBook const& orders);
    // Once a second while it lives and can write.
    void broker_lives(broker::NodeStatusTable const& told);
    void broker_cannot_write() { overdue_.clear(); }
    void broker_restored(Tables const& copy);
    void broker_clock(WallTime now) { latest_ = std::max(latest_, now); }

    // ---- the operator ----
    // From now on nobody knows what stands in the place that this changes, until it is answered.
    void ordering(Admin const& admin);
    void answered(Admin const& admin, Order const& order);

    // ---- a node ----
    void node_wrote(std::string const& node, NodeDisk const& disk);
    // It knows only the orders of its older copy, which are seen when it writes next.
    void node_put_back(std::string const& node);
    void clock_jumped(std::string const& node) { nodes_at_[node].jumped = world_.now(); }
    void becomes_live(std::string const& node, ReleaseId const& release, WallTime node_clock);
    // An object is fetched for a release that is not live.
    void fetches(std::string const& node, ReleaseId const& release);
    [[nodiscard]] bool forced(std::string const& node, ReleaseId const& release) const {
        return nodes_at_.contains(node) && nodes_at_.at(node).forced.contains({release.software, release.seq});
    }

private:
    // Where an order stands: at most one of each kind for a scope, for all nodes or for one.
    using Place = std::tuple<std::optional<NodeName>, OrderKind, OrderScope>;
    struct Row {
        broker::NodeStatus row;
        TimePoint written;
    };
    struct RolloutStatus {
        Order order;
        TimePoint since;  // durable here
    };
    struct NodeOrders {
        std::uint64_t revision = 0;
        std::uint64_t own_revision = 0;
        std::vector<RolloutStatus> standing;
        std::set<std::pair<SoftwareName, Seq>> forced;  // ever
        TimePoint jumped{};                             // its clock
        bool removed = false;                           // from the fleet, at some time
    };
    struct Newest {
        Seq seq;
        UpdateInfo info;
    };

    void take_release(View key, std::optional<Buffer> const& value);
    void take_row(View key, std::optional<Buffer> const& value);
    void take_orders(View key, View value, broker::NodeStatusTable const& told);
    void rows_and_releases_of(Tables const& tables);
    void opens(Order const& before, Order const& after, broker::NodeStatusTable const& told);
    [[nodiscard]] std::optional<Newest> newest(SoftwareName const& software) const;
    [[nodiscard]] bool fails_too_often(Newest const& release, Order const& share, broker::NodeStatusTable const& told,
                                       TimePoint known_since) const;
    [[nodiscard]] bool has_failed(Newest const& release, PeerKey const& node, broker::NodeStatusTable const& told,
                                  TimePoint known_since) const;
    [[nodiscard]] bool stopped(SoftwareName const& software, Seq seq) const;
    void check_acknowledged(std::optional<NodeName> const& node, OrderSet const& set) const;
    [[nodiscard]] RolloutStatus const* find(std::string const& node, OrderKind kind, ReleaseId const& release) const;
    [[nodiscard]] Order const* hold_of(NodeOrders const& orders, SoftwareName const& software,
                                       WallTime node_clock) const;
    [[nodiscard]] bool is_known(RolloutStatus const& standing) const;

    World& world_;
    Library const& library_;
    Violated violated_;
    std::map<PeerKey, NodeName> nodes_;

    // What is durable at the broker.
    std::map<SoftwareName, std::map<Seq, UpdateInfo>> log_;
    std::map<std::pair<SoftwareName, PeerKey>, Row> rows_;
    std::map<std::optional<NodeName>, OrderSet> sets_;
    WallTime latest_;                       // that its clock has ever shown
    std::map<Seq, std::uint64_t> opened_;   // the highest place whose turn was ever durable
    std::map<SoftwareName, bool> failing_;  // as computed when something was written last
    std::map<Seq, TimePoint> overdue_;      // rollouts that have to halt, and since when

    bool restored_ = false;

    std::map<Place, std::optional<Order>> acknowledged_;  // none: taken back
    std::map<std::string, NodeOrders> nodes_at_;
};

}  // namespace lull::sim
