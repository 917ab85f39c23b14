#include "broker/catalogue.hpp"

#include <algorithm>

namespace lull::broker {

Status Catalogue::load(View key, View value) {
    auto const number = store::number_of(key);
    if (!number) return fail(Fault::damaged, "table '{}': {}", table, number.error().message);
    auto entry = decode<LogEntry>(value, limits::control_message);
    if (!entry) return fail(Fault::damaged, "table '{}', entry {}: {}", table, *number, entry.error().message);
    auto info = decode_update_info(entry->update.payload);
    if (!info) return fail(Fault::damaged, "table '{}', entry {}: {}", table, *number, info.error().message);
    if (entry->seq.value != *number || entry->seq.value != head().value + 1 || entry->prev != head()) {
        return fail(Fault::damaged, "table '{}': entry {} does not follow entry {}", table, *number, head().value);
    }
    append({std::move(*entry), std::move(*info)});
    return {};
}

Release const* Catalogue::find(SoftwareName const& software, VersionName const& version) const {
    auto const found = by_version_.find({software, version});
    return found == by_version_.end() ? nullptr : &log_[found->second];
}

Release const* Catalogue::newest(SoftwareName const& software) const {
    auto const found = newest_.find(software);
    return found == newest_.end() ? nullptr : &log_[found->second];
}

Release const* Catalogue::at(Seq seq) const {
    return seq.value == 0 || seq.value > log_.size() ? nullptr : &log_[seq.value - 1];
}

std::vector<LogEntry> Catalogue::page_after(Seq cursor, std::size_t most, Bytes bytes) const {
    std::vector<LogEntry> page;
    Bytes total{};
    for (auto i = std::min<std::uint64_t>(cursor.value, log_.size()); i < log_.size() && page.size() < most; ++i) {
        auto const& entry = log_[i].entry;
        total += Bytes(entry.update.payload.size());
        if (!page.empty() && total > bytes) break;
        page.push_back(entry);
    }
    return page;
}

LogEntry Catalogue::reserve(Envelope update, UpdateInfo info, WallTime now) {
    LULL_INVARIANT(!pending_);
    LogEntry entry{Seq{head().value + 1}, head(), now, std::move(update)};
    pending_ = Release{entry, std::move(info)};
    return entry;
}

store::Change Catalogue::change(LogEntry const& entry) { return {table, store::key_of(entry.seq.value), encode(entry)}; }

Release const& Catalogue::confirm() {
    LULL_INVARIANT(pending_.has_value());
    append(std::move(*pending_));
    pending_.reset();
    return log_.back();
}

void Catalogue::append(Release release) {
    newest_[release.info.software] = log_.size();
    by_version_[{release.info.software, release.info.version}] = log_.size();
    log_.push_back(std::move(release));
}

}  // namespace lull::broker
