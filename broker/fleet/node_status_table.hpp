#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>

#include "broker/fleet/node_number.hpp"
#include "broker/fleet/status_counters.hpp"
#include "store/environment.hpp"

namespace lull::broker {

// What a node said last about a software.
struct NodeStatus {
    Seq seq;
    NodeState state = NodeState::undistributed;
    std::uint64_t revision = 0;
    WallTime since;
    std::string why;
    std::vector<Holder> holders;
    std::optional<Seq> active;
    std::optional<VersionName> active_version{};  // where the log does not know the active release
    std::optional<std::string> held{};            // a hold that was given on the node, for people
    static void describe(auto& self, auto& visit) {
        visit("q", self.seq);
        visit("s", self.state);
        visit("r", self.revision);
        visit("i", self.since);
        visit("w", self.why);
        visit("h", self.holders);
        visit("a", self.active);
        visit("v", self.active_version);
        visit("o", self.held);
    }
};

// Texts that many rows share, each kept once. Bounded; a text that does not fit is kept with its row.
class SharedTexts {
public:
    using Index = std::uint16_t;

    SharedTexts() = default;
    SharedTexts(SharedTexts&&) noexcept = default;
    SharedTexts& operator=(SharedTexts&&) noexcept = default;

    // The index of this text; nothing if it is long or there are too many.
    [[nodiscard]] std::optional<Index> index_of(std::string_view text);
    [[nodiscard]] std::string const& text(Index index) const { return *texts_[index]; }

private:
    std::map<std::string, Index, std::less<>> indexes_{{"", 0}};
    std::vector<std::string const*> texts_{&indexes_.begin()->first};
};

// The table software x node. A row that is missing means "undistributed", so a release to 50,000 nodes costs nothing
// here. Kept in the table `ledger`. In memory: a flat table for each software, in blocks of rows by the node's index,
// and counters that change with each row.
class NodeStatusTable {
public:
    static constexpr char const* table = "ledger";

    NodeStatusTable();
    ~NodeStatusTable();
    NodeStatusTable(NodeStatusTable&&) noexcept;
    NodeStatusTable& operator=(NodeStatusTable&&) noexcept;
    NodeStatusTable(NodeStatusTable const&);

    [[nodiscard]] Status load(View key, View value);

    [[nodiscard]] std::optional<NodeStatus> find(SoftwareName const& software, PeerKey const& node) const;
    // The part of the row that is cheap to copy.
    [[nodiscard]] std::optional<NodeReport> report(SoftwareName const& software, PeerKey const& node) const;

    enum class Outcome { changed, stale };
    // Takes a report, whose row is then on its way to the disk: changed. A revision that is not higher than what is
    // there or on its way changes nothing (counters never fall): stale.
    Outcome take(PeerKey const& node, Report const& report);
    [[nodiscard]] store::Change change(SoftwareName const& software, PeerKey const& node) const;

    // The rows of this node, to be deleted from the table on disk; and in memory.
    [[nodiscard]] store::Batch removal(PeerKey const& node) const;
    void forget(PeerKey const& node);

    // What is durable of a row, so that nothing else is acknowledged.
    void mark_durable(SoftwareName const& software, PeerKey const& node, std::uint64_t revision);
    // The row of this revision did not reach the disk: the report counts when it comes again.
    void mark_lost(SoftwareName const& software, PeerKey const& node, std::uint64_t revision);
    [[nodiscard]] std::uint64_t durable_revision(SoftwareName const& software, PeerKey const& node) const;

    // Where the rows of a node differ from its inventory, or only one side knows the software, as far as a full
    // inventory goes; and the revisions of those rows. Costs a look at each software.
    [[nodiscard]] std::vector<ReportWanted> differences(PeerKey const& node,
                                                        std::vector<InventoryItem> const& inventory) const;

    // From now on the node's rows count as those of a node that is away, or is not. Costs a look at each software.
    void set_presence(PeerKey const& node, Presence presence);

    // All releases that a node reported on last or has active.
    [[nodiscard]] std::set<Seq> releases() const;
    [[nodiscard]] StatusCounters const& counters(SoftwareName const& software) const;
    // The first nodes, by their index here, on which the release failed or was rolled back.
    [[nodiscard]] std::vector<PeerKey> failed_on(SoftwareName const& software, Seq release, std::size_t most) const;

private:
    struct Row;
    struct OfSoftware;

    [[nodiscard]] std::uint32_t index_for(PeerKey const& node);
    [[nodiscard]] std::optional<std::uint32_t> index_of(PeerKey const& node) const;
    [[nodiscard]] Row const* row(SoftwareName const& software, PeerKey const& node) const;
    [[nodiscard]] Row* row(SoftwareName const& software, PeerKey const& node);
    void put(SoftwareName const& software, PeerKey const& node, NodeStatus status);
    [[nodiscard]] NodeStatus status_of(Row const& row) const;

    std::unordered_map<PeerKey, std::uint32_t, PeerKeyHash> indexes_;
    std::vector<PeerKey> nodes_;
    std::vector<Presence> presence_;
    std::map<SoftwareName, OfSoftware> software_;
    SharedTexts texts_;
};

}  // namespace lull::broker
