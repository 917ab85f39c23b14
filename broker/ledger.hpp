#pragma once

#include <map>
#include <optional>
#include <set>

#include "schema/messages.hpp"
#include "store/environment.hpp"

namespace lull::broker {

// What a node said last about a software.
struct LedgerRow {
    Seq seq;
    NodeState state = NodeState::undistributed;
    std::uint64_t revision = 0;
    WallTime since;
    std::string why;
    std::vector<Holder> holders;
    std::optional<Seq> active;
    static void describe(auto& self, auto& visit) {
        visit("q", self.seq);
        visit("s", self.state);
        visit("r", self.revision);
        visit("i", self.since);
        visit("w", self.why);
        visit("h", self.holders);
        visit("a", self.active);
    }
};

// The table software x node. A row that is missing means "undistributed", so a release to 50,000 nodes costs nothing here.
// Kept in the table `ledger`.
class Ledger {
public:
    static constexpr char const* table = "ledger";

    [[nodiscard]] Status load(View key, View value);

    [[nodiscard]] LedgerRow const* find(SoftwareName const& software, PeerKey const& node) const;

    enum class Outcome { changed, stale };
    // Takes a report, whose row is then on its way to the disk: changed. A revision that is not higher than what is there or on its way
    // changes nothing (counters never fall): stale.
    Outcome take(PeerKey const& node, Report const& report);
    [[nodiscard]] store::Change change(SoftwareName const& software, PeerKey const& node) const;

    // What is durable of a row, so that nothing else is acknowledged.
    void mark_durable(SoftwareName const& software, PeerKey const& node, std::uint64_t revision);
    // The row of this revision did not reach the disk: the report counts when it comes again.
    void mark_lost(SoftwareName const& software, PeerKey const& node, std::uint64_t revision);
    [[nodiscard]] std::uint64_t durable_revision(SoftwareName const& software, PeerKey const& node) const;

    // All releases that a node reported on last or has active.
    [[nodiscard]] std::set<Seq> releases() const;
    // The releases of a software that are active somewhere, and on how many nodes.
    [[nodiscard]] std::map<Seq, std::uint64_t> active(SoftwareName const& software) const;
    // On how many nodes this release is the active one.
    [[nodiscard]] std::uint64_t active_on(SoftwareName const& software, Seq seq) const;

private:
    struct Kept {
        LedgerRow row;
        std::uint64_t durable = 0;    // revision on the disk
        std::uint64_t submitted = 0;  // revision there or on its way
    };
    using Key = std::pair<SoftwareName, PeerKey>;
    std::map<Key, Kept> rows_;
};

}  // namespace lull::broker
