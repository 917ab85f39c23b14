#pragma once

#include <optional>
#include <string>

#include "core/schedule.hpp"
#include "schema/update_info.hpp"
#include "subscriber/holds.hpp"

namespace lull::subscriber {

// What the owner of this node says for all releases, instead of what their publishers say.
struct NodeRules {
    std::optional<Policy> policy{};
    std::optional<Schedule> windows{};  // times of day at which something may become live (Schedule::parse_times)
};

// Why a staged release may not become live now, whoever uses it, and until when that is known to last.
struct Gate {
    std::string why;
    std::optional<WallTime> until{};
};

// Whether a staged release may become live, and what happens to those who use the one before it. In this order: a hold, time windows (the
// node's and the release's), the deadline, the policy (the node's before the release's). Free of I/O.
class ActivationRules {
public:
    ActivationRules(NodeRules node, Holds holds) : node_(std::move(node)), holds_(std::move(holds)) {}

    void set(Holds holds) { holds_ = std::move(holds); }

    // Nothing: it may. `replaces`: another release is installed. The first one disturbs nobody: only a hold keeps it back.
    enum class Installs { first, replaces };
    [[nodiscard]] std::optional<Gate> gate(UpdateInfo const& info, Installs what, WallTime now) const;

    // `staged`: when the release was.
    [[nodiscard]] Policy policy(UpdateInfo const& info, WallTime staged, WallTime now) const;
    // When waiting ends, if it ever does.
    [[nodiscard]] std::optional<WallTime> deadline(UpdateInfo const& info, WallTime staged) const;

private:
    [[nodiscard]] Policy stated_policy(UpdateInfo const& info) const { return node_.policy.value_or(info.policy); }

    NodeRules node_;
    Holds holds_;
};

// What a release says of its activation, or what counts where it says nothing.
[[nodiscard]] Activation activation_of(UpdateInfo const& info);

}  // namespace lull::subscriber
