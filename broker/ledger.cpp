#include "broker/ledger.hpp"

#include <algorithm>
#include <cstring>

namespace lull::broker {

namespace {

// software, a zero byte, the node's key: rows of one software lie together.
Buffer key_of_row(SoftwareName const& software, PeerKey const& node) {
    Buffer key = to_buffer(as_view(software.text()));
    key.push_back(std::byte{0});
    key.insert(key.end(), node.bytes().begin(), node.bytes().end());
    return key;
}

}  // namespace

Status Ledger::load(View key, View value) {
    constexpr std::size_t tail = 33;  // the zero byte and the node's key
    if (key.size() <= tail) return fail(Fault::damaged, "table '{}' has a key of {} bytes", table, key.size());
    auto software = SoftwareName::parse(as_text(key.first(key.size() - tail)));
    if (!software) return fail(Fault::damaged, "table '{}': {}", table, software.error().message);
    std::array<std::byte, 32> node;
    std::memcpy(node.data(), key.data() + key.size() - node.size(), node.size());
    auto row = decode<LedgerRow>(value, limits::control_message);
    if (!row) return fail(Fault::damaged, "table '{}': {}", table, row.error().message);
    auto const revision = row->revision;
    rows_[{std::move(*software), PeerKey(node)}] = {std::move(*row), revision, revision};
    return {};
}

LedgerRow const* Ledger::find(SoftwareName const& software, PeerKey const& node) const {
    auto const found = rows_.find({software, node});
    return found == rows_.end() ? nullptr : &found->second.row;
}

Ledger::Outcome Ledger::take(PeerKey const& node, Report const& report) {
    auto& kept = rows_[{report.software, node}];
    if (report.revision <= kept.submitted) return Outcome::stale;
    kept.submitted = report.revision;
    kept.row = {report.seq, report.state, report.revision, report.since, report.why, report.holders, report.active};
    if (kept.row.holders.size() > limits::holders_per_report) kept.row.holders.resize(limits::holders_per_report);
    return Outcome::changed;
}

store::Change Ledger::change(SoftwareName const& software, PeerKey const& node) const {
    return {table, key_of_row(software, node), encode(rows_.at({software, node}).row)};
}

void Ledger::mark_durable(SoftwareName const& software, PeerKey const& node, std::uint64_t revision) {
    auto& kept = rows_[{software, node}];
    kept.durable = std::max(kept.durable, revision);
}

void Ledger::mark_lost(SoftwareName const& software, PeerKey const& node, std::uint64_t revision) {
    auto& kept = rows_[{software, node}];
    if (kept.submitted == revision) kept.submitted = kept.durable;
}

std::uint64_t Ledger::durable_revision(SoftwareName const& software, PeerKey const& node) const {
    auto const found = rows_.find({software, node});
    return found == rows_.end() ? 0 : found->second.durable;
}

std::set<Seq> Ledger::releases() const {
    std::set<Seq> found;
    for (auto const& [key, kept] : rows_) {
        found.insert(kept.row.seq);
        if (kept.row.active) found.insert(*kept.row.active);
    }
    return found;
}

std::map<Seq, std::uint64_t> Ledger::active(SoftwareName const& software) const {
    std::map<Seq, std::uint64_t> found;
    for (auto row = rows_.lower_bound({software, PeerKey()}); row != rows_.end() && row->first.first == software; ++row) {
        if (row->second.row.active) ++found[*row->second.row.active];
    }
    return found;
}

std::uint64_t Ledger::active_on(SoftwareName const& software, Seq seq) const {
    auto const all = active(software);
    auto const found = all.find(seq);
    return found == all.end() ? 0 : found->second;
}

}  // namespace lull::broker
