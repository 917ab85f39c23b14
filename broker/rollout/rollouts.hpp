#pragma once

#include <map>
#include <set>

#include "broker/fleet/presence_sweep.hpp"
#include "broker/orders/ordering.hpp"
#include "broker/rollout/rollout_steps.hpp"

namespace lull::broker {

// The order that stops a release: it is paused or withdrawn.
[[nodiscard]] std::optional<Order> stop_of(OrderBook const& orders, Release const& release);
// Where the rollout of a release is, or that the release is stopped, for people.
[[nodiscard]] std::optional<std::string> note_on(OrderBook const& orders, Release const& release);

// Advances the rollouts of the newest releases, by orders that say whose turn it is.
class Rollouts final : public FleetObserver {
public:
    struct Parts {
        ReleaseLog const& log;
        Peers const& peers;
        NodeStatusTable const& node_status;
        PresenceSweep const& presence;
        Ordering& ordering;
        OrderBook const& orders;
    };
    Rollouts(Parts parts, Duration patience, Effects& effects);

    // `stepped` is called when a step of a rollout has come to its end.
    void observe(std::function<void(SoftwareName const&, Moment)> stepped) { stepped_ = std::move(stepped); }

    void released(Release const& release, Moment now);
    // Orders have changed: whose turn it is, maybe; all rollouts are looked at with the next tick.
    void orders_changed(TimePoint now);
    void tick(Moment now);
    // Works out the ranks of further nodes; a bounded number at a time.
    void rank_nodes(Moment now);
    // When it wants rank_nodes() to be called again.
    [[nodiscard]] bool is_ranking() const { return !to_rank_.empty(); }

    void reported(SoftwareName const& software, NodeNumber node, NodeReport const& report) override;
    void presence_changed(NodeNumber node, Presence presence) override;
    void removed(NodeNumber node) override;

    // A step is on its way to the disk.
    [[nodiscard]] bool is_stepping(SoftwareName const& software) const { return stepping_.contains(software); }
    // Where the rollout of this release is; nothing without one, before it has begun, or while nodes are ranked.
    [[nodiscard]] std::optional<RolloutProgress> progress(Release const& release, WallTime now) const;
    // Nodes whose turn it is and on which the newest release failed.
    [[nodiscard]] std::uint64_t failed(SoftwareName const& software) const;
    // Why the release is not live yet on a node that has it staged: its turn has not come, or the rollout is stopped.
    [[nodiscard]] std::optional<std::string> why_held(Release const& release, PeerKey const& node) const;

private:
    struct Field {
        Seq seq;  // of the release
        RolloutTally tally{};
    };
    void begin(Release const& release);
    void look_at(Release const& release, Moment now);
    void order(Release const& release, Order order, Moment now);
    [[nodiscard]] std::optional<Order> order_for(Release const& release, RolloutStep const& step,
                                                 std::optional<RolloutTurn> const& turn, WallTime now);
    [[nodiscard]] std::optional<RolloutTurn> turn_of(Release const& release) const;
    [[nodiscard]] RolloutTally const* complete_tally(Release const& release) const;
    [[nodiscard]] RolloutTally::Node node_in(Release const& release, NodeNumber number) const;

    Parts parts_;
    Duration patience_;
    Effects& effects_;
    std::function<void(SoftwareName const&, Moment)> stepped_;
    std::map<SoftwareName, Field> fields_;
    std::set<SoftwareName> to_rank_;   // rollouts of which nodes have no rank yet
    std::set<SoftwareName> stepping_;  // whose next step is on its way to the disk
    std::set<SoftwareName> changed_;   // nodes have reported since the last look
    TimePoint next_look_{};
};

}  // namespace lull::broker
