#pragma once

#include <optional>

#include "broker/calls/calls.hpp"
#include "broker/delivery/delivery.hpp"
#include "broker/fleet/node_facts.hpp"
#include "broker/patches/patch_planner.hpp"
#include "broker/rollout/rollouts.hpp"
#include "broker/state/broker_state.hpp"

namespace lull::broker {

// What an operator asks the broker. Changes nothing. A page costs what its rows cost: the cursor is the key of the last
// row of the page before.
class Queries {
public:
    struct Parts {
        BrokerState const& state;
        Sessions const& sessions;
        NodeFacts const& facts;
        Delivery const& delivery;
        PatchPlanner const& patches;
        Rollouts const& rollouts;
        Calls const& calls;
    };
    explicit Queries(Parts parts) : parts_(parts) {}

    // `signer`: list names only software of which a release in the log is signed with this key.
    [[nodiscard]] Answer answer(Admin const& message, Moment now,
                                std::optional<Ed25519Public> const& signer = std::nullopt) const;
    [[nodiscard]] bool has_release_of(SoftwareName const& software, Ed25519Public const& signer) const;
    // A row of the table software x node as an operator sees it.
    [[nodiscard]] StatusRow status_row(Release const& newest, PeerKey const& node, Moment now) const;

private:
    void answer_status(Admin const& message, Moment now, Answer& answer) const;
    void answer_list(Admin const& message, std::optional<Ed25519Public> const& signer, Answer& answer) const;
    void answer_nodes(Admin const& message, Moment now, Answer& answer) const;
    void answer_orders(Admin const& message, WallTime now, Answer& answer) const;
    void answer_calls(Admin const& message, TimePoint now, Answer& answer) const;
    void add_transfer(StatusRow& row, PeerKey const& node, TimePoint now) const;
    [[nodiscard]] ReleaseRow release_row(Release const& release) const;
    [[nodiscard]] StatusRow reported_row(Release const& newest, PeerKey const& node, Moment now) const;
    void add_hold(StatusRow& row, PeerKey const& node, WallTime now) const;
    [[nodiscard]] std::optional<std::string> ordered_hold(NodeName const& node, OrderScope const& software,
                                                          WallTime now) const;
    void add_holds_of(PeerKey const& key, WallTime now, std::vector<std::string>& notes) const;
    [[nodiscard]] NodeRow node_row(std::string const& name, PeerKey const& key, Moment now) const;

    Parts parts_;
};

}  // namespace lull::broker
