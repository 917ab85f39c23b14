#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/units.hpp"
#include "schema/ids.hpp"

namespace lull {

// hold: software must not change for now. force: a release becomes live, whatever else is said. pause: it becomes live
// on no further node. withdraw: the same for good, and nobody fetches it any more. share: whose turn it is in the
// rollout of a release. retry: nodes on which the release has failed, or was rolled back, try it once more; so does
// force.
enum class OrderKind : std::uint8_t { hold, force, pause, withdraw, share, retry };
constexpr OrderKind enum_last(OrderKind) { return OrderKind::retry; }
[[nodiscard]] std::string_view to_text(OrderKind kind);

// What an operator, or the broker on a publisher's behalf, says about software on all nodes or on one of them.
struct Order {
    OrderKind kind = OrderKind::hold;
    std::optional<SoftwareName> software{};  // none: all of it; holds only
    std::optional<Seq> seq{};                // the release that it is about; none: any, holds only
    WallTime since;
    std::string by;                        // who gave it
    std::string why;                       // their words; may be empty
    std::optional<WallTime> until{};       // holds: when it ends by itself
    std::optional<bool> restart{};         // force: users are asked to end, and ended; else they keep their files
    std::optional<std::uint64_t> upto{};   // share: places in the rollout up to this one
    std::optional<std::uint64_t> stage{};  // share: number of the stage, from 0
    std::optional<std::uint64_t> accepted_failures{};  // share: failed nodes that an operator accepted by going on
    static void describe(auto& self, auto& visit) {
        visit("k", self.kind);
        visit("n", self.software);
        visit("q", self.seq);
        visit("i", self.since);
        visit("b", self.by);
        visit("w", self.why);
        visit("u", self.until);
        visit("r", self.restart);
        visit("p", self.upto);
        visit("s", self.stage);
        visit("f", self.accepted_failures);
    }
    bool operator==(Order const&) const = default;
};

// Which software an order is about; none: all of it.
using OrderScope = std::optional<SoftwareName>;

// All orders for all nodes, or all that are for one of them only. At most one of each kind for a scope.
struct OrderSet {
    std::uint64_t revision = 0;  // another one after each change; 0: there has been none
    std::vector<Order> orders;
    static void describe(auto& self, auto& visit) {
        visit("r", self.revision);
        visit("o", self.orders);
    }
    bool operator==(OrderSet const&) const = default;

    [[nodiscard]] Order const* find(OrderKind kind, OrderScope const& scope) const;
    // The order of this kind that is about this release.
    [[nodiscard]] Order const* find(OrderKind kind, SoftwareName const& software, Seq seq) const;
    [[nodiscard]] std::vector<Order> of(OrderScope const& scope) const;
    // Puts an order in the place of the one of its kind and scope.
    void put(Order order);
    // Whether there was one.
    bool remove(OrderKind kind, OrderScope const& scope);
    // Puts these in the place of all that there are for the scope.
    void replace(OrderScope const& scope, std::vector<Order> const& orders);
};

// The bounds of limits.hpp, and what belongs to each kind. Fault::refused.
[[nodiscard]] Status validate(Order const& order);

}  // namespace lull
