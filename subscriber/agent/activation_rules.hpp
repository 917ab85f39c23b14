#pragma once

#include <optional>
#include <set>
#include <string>

#include "core/schedule.hpp"
#include "schema/order.hpp"
#include "schema/update_info.hpp"
#include "subscriber/model/hold.hpp"

namespace lull::subscriber {

// Which software's hooks may run on this node: none, unless the owner of the node allows them.
struct HooksAllowed {
    bool all = false;
    std::set<SoftwareName> software{};
    [[nodiscard]] bool contains(SoftwareName const& name) const { return all || software.contains(name); }
};

// Settings of the owner of this node for all releases, in place of those of their publishers.
struct NodeRules {
    std::optional<Policy> policy{};
    std::optional<Schedule> windows{};  // times of day at which something may become live (Schedule::parse_times)
    HooksAllowed hooks{};
};

// Why a staged release may not become live now, in use or not, and until when that is known to last.
struct ActivationGate {
    enum class Kind {
        held,
        awaiting_rollout
    };  // awaiting_rollout: its turn in the rollout has not come, or the rollout is paused
    std::string why;
    std::optional<WallTime> until{};
    Kind kind = Kind::held;
};

// What operators, and the broker on a publisher's behalf, order all nodes, and this one.
struct StandingOrders {
    OrderSet all;
    OrderSet own;
};

// Whether a staged release may become live, and what happens to users of the running version. In this order:
// withdrawn, forced, a hold (set here, or ordered), paused, its turn in a rollout, time windows (the node's and the
// release's), the deadline, the policy (the node's before the release's). Free of I/O.
class ActivationRules {
public:
    ActivationRules(NodeName name, NodeRules node, Holds holds, StandingOrders orders)
        : name_(std::move(name)),
          node_(std::move(node)),
          holds_(std::move(holds)),
          orders_(std::move(orders)) {}

    void set(Holds holds) { holds_ = std::move(holds); }
    void set(StandingOrders orders) { orders_ = std::move(orders); }

    // Nothing: it may. `replaces`: another release is installed. The first one disturbs no user: no time window keeps
    // it back.
    enum class Installs { first, replaces };
    [[nodiscard]] std::optional<ActivationGate> gate(UpdateInfo const& info, Seq seq, Installs what,
                                                     WallTime now) const;
    // The hold that counts for this software, for people and until when: one that was given on this node, or any.
    struct HoldText {
        std::string text;
        std::optional<WallTime> until{};
    };
    [[nodiscard]] std::optional<HoldText> hold_given_here(SoftwareName const& software, WallTime now) const;
    [[nodiscard]] std::optional<HoldText> any_hold(SoftwareName const& software, WallTime now) const;
    // No node shall get it any more.
    [[nodiscard]] std::optional<ActivationGate> withdrawn(UpdateInfo const& info, Seq seq) const;
    // An operator wants it live, whatever else is said.
    [[nodiscard]] Order const* forced(UpdateInfo const& info, Seq seq) const;
    // The latest order to try this release again if it has failed here.
    [[nodiscard]] Order const* retried(UpdateInfo const& info, Seq seq) const;

    // `waited`: how long users were waited for, by a clock that is never set.
    [[nodiscard]] Policy policy(UpdateInfo const& info, Seq seq, Duration waited) const;
    // How long users are waited for, if that ever ends.
    [[nodiscard]] std::optional<Duration> deadline(UpdateInfo const& info) const;

private:
    [[nodiscard]] Policy stated_policy(UpdateInfo const& info) const { return node_.policy.value_or(info.policy); }

    [[nodiscard]] std::optional<ActivationGate> hold(SoftwareName const& software, WallTime now) const;
    [[nodiscard]] std::optional<ActivationGate> line(UpdateInfo const& info, Seq seq) const;
    [[nodiscard]] std::optional<ActivationGate> window(UpdateInfo const& info, WallTime now) const;

    NodeName name_;
    NodeRules node_;
    Holds holds_;
    StandingOrders orders_;
};

// The settings of a release for its activation, or the defaults where it has none.
[[nodiscard]] Activation const& activation_of(UpdateInfo const& info);

}  // namespace lull::subscriber
