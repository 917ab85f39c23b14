#include "broker/fleet/node_status_table.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace lull::broker {

namespace {

constexpr std::size_t most_shared_texts = 4096;
constexpr std::size_t longest_shared_text = 256;
constexpr std::size_t rows_per_block = 64;

// software, a zero byte, the node's key: rows of one software lie together.
Buffer key_of_row(SoftwareName const& software, PeerKey const& node) {
    Buffer key = to_buffer(as_view(software.text()));
    key.push_back(std::byte{0});
    key.insert(key.end(), node.bytes().begin(), node.bytes().end());
    return key;
}

bool has_failed(NodeState state) { return state == NodeState::failed || state == NodeState::rolled_back; }

}  // namespace

// ---- texts ----

std::optional<SharedTexts::Index> SharedTexts::index_of(std::string_view text) {
    auto const known = indexes_.find(text);
    if (known != indexes_.end()) return known->second;
    if (text.size() > longest_shared_text || texts_.size() == most_shared_texts) return std::nullopt;
    auto const index = static_cast<Index>(texts_.size());
    texts_.push_back(&indexes_.emplace(std::string(text), index).first->first);
    return index;
}

// ---- rows ----

// 64 bytes. Revision 0: there is no row.
struct NodeStatusTable::Row {
    // What few rows have.
    struct Details {
        std::optional<std::string> why;  // none: it is a shared text
        std::vector<Holder> holders;
        std::optional<VersionName> active_version;
        std::optional<std::string> held;
    };

    Seq seq{};
    Seq active{};  // 0: none
    std::uint64_t revision = 0;
    std::uint64_t durable = 0;    // revision on the disk
    std::uint64_t submitted = 0;  // revision there or on its way
    WallTime since{};
    std::unique_ptr<Details> details{};
    SharedTexts::Index why = 0;
    NodeState state = NodeState::undistributed;

    [[nodiscard]] NodeReport report() const {
        return {seq, state, active == Seq{} ? std::nullopt : std::optional(active)};
    }
};

struct NodeStatusTable::OfSoftware {
    using Block = std::array<Row, rows_per_block>;
    std::vector<std::unique_ptr<Block>> blocks;  // by index of the node / rows_per_block
    StatusCounters counters;
    std::set<std::pair<Seq, std::uint32_t>> failed;  // rows of a release that failed, by index of the node

    [[nodiscard]] Row* find(std::uint32_t index) const {
        auto const block = index / rows_per_block;
        if (block >= blocks.size() || blocks[block] == nullptr) return nullptr;
        auto& row = (*blocks[block])[index % rows_per_block];
        return row.revision == 0 ? nullptr : &row;
    }
    [[nodiscard]] Row& make(std::uint32_t index) {
        auto const block = index / rows_per_block;
        if (block >= blocks.size()) blocks.resize(block + 1);
        if (blocks[block] == nullptr) blocks[block] = std::make_unique<Block>();
        return (*blocks[block])[index % rows_per_block];
    }
};

NodeStatusTable::NodeStatusTable() = default;
NodeStatusTable::~NodeStatusTable() = default;
NodeStatusTable::NodeStatusTable(NodeStatusTable&&) noexcept = default;
NodeStatusTable& NodeStatusTable::operator=(NodeStatusTable&&) noexcept = default;

NodeStatusTable::NodeStatusTable(NodeStatusTable const& other) {
    for (auto const& [software, rows] : other.software_) {
        for (std::uint32_t index = 0; index < other.nodes_.size(); ++index) {
            auto const* from = rows.find(index);
            if (from == nullptr) continue;
            put(software, other.nodes_[index], other.status_of(*from));
            auto& to = *row(software, other.nodes_[index]);
            to.durable = from->durable;
            to.submitted = from->submitted;
        }
    }
}

std::uint32_t NodeStatusTable::index_for(PeerKey const& node) {
    auto const [known, fresh] = indexes_.try_emplace(node, static_cast<std::uint32_t>(nodes_.size()));
    if (fresh) {
        nodes_.push_back(node);
        presence_.push_back(Presence::present);
    }
    return known->second;
}

std::optional<std::uint32_t> NodeStatusTable::index_of(PeerKey const& node) const {
    auto const known = indexes_.find(node);
    if (known == indexes_.end()) return std::nullopt;
    return known->second;
}

NodeStatusTable::Row const* NodeStatusTable::row(SoftwareName const& software, PeerKey const& node) const {
    auto const found = software_.find(software);
    auto const index = index_of(node);
    return found == software_.end() || !index ? nullptr : found->second.find(*index);
}

NodeStatusTable::Row* NodeStatusTable::row(SoftwareName const& software, PeerKey const& node) {
    return const_cast<Row*>(std::as_const(*this).row(software, node));
}

void NodeStatusTable::put(SoftwareName const& software, PeerKey const& node, NodeStatus status) {
    auto const index = index_for(node);
    auto& of_software = software_[software];
    auto& row = of_software.make(index);
    if (row.revision != 0) {
        of_software.counters.remove(row.report(), presence_[index]);
        if (has_failed(row.state)) of_software.failed.erase({row.seq, index});
    }
    row.seq = status.seq;
    row.active = status.active.value_or(Seq{});
    row.revision = status.revision;
    row.since = status.since;
    row.state = status.state;
    row.details.reset();
    auto const why = texts_.index_of(status.why);
    row.why = why.value_or(0);
    if (!why || !status.holders.empty() || status.active_version || status.held) {
        row.details = std::make_unique<Row::Details>();
        if (!why) row.details->why = std::move(status.why);
        row.details->holders = std::move(status.holders);
        row.details->active_version = std::move(status.active_version);
        row.details->held = std::move(status.held);
    }
    of_software.counters.add(row.report(), presence_[index]);
    if (has_failed(row.state)) of_software.failed.emplace(row.seq, index);
}

NodeStatus NodeStatusTable::status_of(Row const& row) const {
    bool const own_text = row.details != nullptr && row.details->why;
    return {row.seq,
            row.state,
            row.revision,
            row.since,
            own_text ? *row.details->why : texts_.text(row.why),
            row.details == nullptr ? std::vector<Holder>() : row.details->holders,
            row.report().active,
            row.details == nullptr ? std::nullopt : row.details->active_version,
            row.details == nullptr ? std::nullopt : row.details->held};
}

// ---- the table ----

Status NodeStatusTable::load(View key, View value) {
    constexpr std::size_t tail = 33;  // the zero byte and the node's key
    if (key.size() <= tail) return fail(Fault::damaged, "table '{}' has a key of {} bytes", table, key.size());
    auto software = SoftwareName::parse(as_text(key.first(key.size() - tail)));
    if (!software) return fail(Fault::damaged, "table '{}': {}", table, software.error().message);
    std::array<std::byte, 32> bytes;
    std::memcpy(bytes.data(), key.data() + key.size() - bytes.size(), bytes.size());
    auto status = decode<NodeStatus>(value, limits::control_message);
    if (!status) return fail(Fault::damaged, "table '{}': {}", table, status.error().message);
    if (status->revision == 0) return fail(Fault::damaged, "table '{}' has a row of revision 0", table);
    PeerKey const node(bytes);
    auto const revision = status->revision;
    put(*software, node, std::move(*status));
    auto* const loaded = row(*software, node);
    loaded->durable = loaded->submitted = revision;
    return {};
}

std::optional<NodeStatus> NodeStatusTable::find(SoftwareName const& software, PeerKey const& node) const {
    auto const* found = row(software, node);
    if (found == nullptr) return std::nullopt;
    return status_of(*found);
}

std::optional<NodeReport> NodeStatusTable::report(SoftwareName const& software, PeerKey const& node) const {
    auto const* found = row(software, node);
    if (found == nullptr) return std::nullopt;
    return found->report();
}

NodeStatusTable::Outcome NodeStatusTable::take(PeerKey const& node, Report const& report) {
    auto const* known = row(report.software, node);
    if (report.revision == 0 || (known != nullptr && report.revision <= known->submitted)) return Outcome::stale;
    auto const count = std::min(report.holders.size(), limits::holders_per_report);
    std::vector<Holder> holders(report.holders.begin(), report.holders.begin() + static_cast<std::ptrdiff_t>(count));
    put(report.software, node,
        {report.seq, report.state, report.revision, report.since, report.why, std::move(holders), report.active,
         report.active_version, report.held});
    row(report.software, node)->submitted = report.revision;
    return Outcome::changed;
}

store::Change NodeStatusTable::change(SoftwareName const& software, PeerKey const& node) const {
    auto const* found = row(software, node);
    LULL_INVARIANT(found != nullptr);
    return {table, key_of_row(software, node), encode(status_of(*found))};
}

store::Batch NodeStatusTable::removal(PeerKey const& node) const {
    store::Batch batch;
    for (auto const& [software, of_software] : software_) {
        if (row(software, node) != nullptr) batch.push_back({table, key_of_row(software, node), std::nullopt});
    }
    return batch;
}

void NodeStatusTable::forget(PeerKey const& node) {
    auto const index = index_of(node);
    if (!index) return;
    for (auto& [software, of_software] : software_) {
        auto* const found = of_software.find(*index);
        if (found == nullptr) continue;
        of_software.counters.remove(found->report(), presence_[*index]);
        of_software.failed.erase({found->seq, *index});
        *found = Row{};
    }
    indexes_.erase(node);  // the index is not used again
}

void NodeStatusTable::mark_durable(SoftwareName const& software, PeerKey const& node, std::uint64_t revision) {
    if (auto* const found = row(software, node)) found->durable = std::max(found->durable, revision);
}

void NodeStatusTable::mark_lost(SoftwareName const& software, PeerKey const& node, std::uint64_t revision) {
    auto* const found = row(software, node);
    if (found != nullptr && found->submitted == revision) found->submitted = found->durable;
}

std::uint64_t NodeStatusTable::durable_revision(SoftwareName const& software, PeerKey const& node) const {
    auto const* found = row(software, node);
    return found == nullptr ? 0 : found->durable;
}

std::vector<ReportWanted> NodeStatusTable::differences(PeerKey const& node,
                                                       std::vector<InventoryItem> const& inventory) const {
    std::vector<ReportWanted> wanted;
    auto const index = index_of(node);
    auto const row_of = [&](OfSoftware const& of_software) { return index ? of_software.find(*index) : nullptr; };
    for (auto const& item : inventory) {
        auto const found = software_.find(item.software);
        auto const* row = found == software_.end() ? nullptr : row_of(found->second);
        bool const same = row != nullptr && row->revision == item.revision &&
                          row->report() == NodeReport{item.seq, item.state, item.active};
        if (!same) wanted.push_back({item.software, row == nullptr ? 0 : row->revision});
    }
    bool const whole = inventory.size() < limits::inventory;
    for (auto const& [software, of_software] : software_) {
        if (!whole && software > inventory.back().software) break;
        auto const* row = row_of(of_software);
        bool const named = std::ranges::binary_search(inventory, software, {}, &InventoryItem::software);
        if (row != nullptr && !named) wanted.push_back({software, row->revision});
    }
    return wanted;
}

// ---- counters ----

void NodeStatusTable::set_presence(PeerKey const& node, Presence presence) {
    auto const index = index_for(node);
    auto const before = std::exchange(presence_[index], presence);
    if (before == presence) return;
    for (auto& [name, of_software] : software_) {
        auto const* found = of_software.find(index);
        if (found == nullptr) continue;
        of_software.counters.remove(found->report(), before);
        of_software.counters.add(found->report(), presence);
    }
}

std::set<Seq> NodeStatusTable::releases() const {
    std::set<Seq> found;
    for (auto const& [name, of_software] : software_) {
        auto const releases = of_software.counters.releases();
        found.insert(releases.begin(), releases.end());
    }
    return found;
}

StatusCounters const& NodeStatusTable::counters(SoftwareName const& software) const {
    static StatusCounters const none;
    auto const found = software_.find(software);
    return found == software_.end() ? none : found->second.counters;
}

std::vector<PeerKey> NodeStatusTable::failed_on(SoftwareName const& software, Seq release, std::size_t most) const {
    std::vector<PeerKey> nodes;
    auto const found = software_.find(software);
    if (found == software_.end()) return nodes;
    auto const& failed = found->second.failed;
    for (auto row = failed.lower_bound({release, 0}); row != failed.end() && row->first == release; ++row) {
        if (nodes.size() == most) break;
        nodes.push_back(nodes_[row->second]);
    }
    return nodes;
}

}  // namespace lull::broker
