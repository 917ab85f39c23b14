#include "broker/log/release_log.hpp"

#include <algorithm>

namespace lull::broker {

Status ReleaseLog::load(View key, View value) {
    auto const number = store::number_of(key);
    if (!number) return fail(Fault::damaged, "table '{}': {}", table, number.error().message);
    auto entry = decode<LogEntry>(value, limits::control_message);
    if (!entry) return fail(Fault::damaged, "table '{}', entry {}: {}", table, *number, entry.error().message);
    auto info = decode_update_info(entry->update.payload);
    if (!info) return fail(Fault::damaged, "table '{}', entry {}: {}", table, *number, info.error().message);
    if (entry->seq.value != *number || !follows(*entry)) {
        return fail(Fault::damaged, "table '{}': entry {} does not follow entry {}", table, *number, head().value);
    }
    append({std::move(*entry), std::move(*info)});
    return {};
}

// Where nothing was removed, each entry names the one before.
bool ReleaseLog::follows(LogEntry const& entry) const {
    if (entry.seq <= head() || entry.prev >= entry.seq) return false;
    return entry.prev == head() || entry.prev <= identity_.removed;
}

Release const* ReleaseLog::find(SoftwareName const& software, VersionName const& version) const {
    auto const found = by_version_.find({software, version});
    return found == by_version_.end() ? nullptr : &log_[found->second];
}

Release const* ReleaseLog::newest(SoftwareName const& software) const {
    auto const found = newest_.find(software);
    return found == newest_.end() ? nullptr : &log_[found->second];
}

Release const* ReleaseLog::at(Seq seq) const {
    auto const found = std::lower_bound(log_.begin(), log_.end(), seq,
                                        [](Release const& r, Seq s) { return r.entry.seq < s; });
    return found == log_.end() || found->entry.seq != seq ? nullptr : &*found;
}

bool ReleaseLog::is_newest(Digest const& manifest) const {
    auto const software = manifests_.find(manifest);
    if (software == manifests_.end()) return false;
    auto const& builds = newest(software->second)->info.builds;
    return std::ranges::find(builds, manifest, &Build::manifest) != builds.end();
}

std::vector<LogEntry> ReleaseLog::page_after(Seq cursor, std::size_t most, Bytes bytes) const {
    std::vector<LogEntry> page;
    Bytes total{};
    auto next = std::upper_bound(log_.begin(), log_.end(), cursor,
                                 [](Seq s, Release const& r) { return s < r.entry.seq; });
    for (; next != log_.end() && page.size() < most; ++next) {
        total += Bytes(next->entry.update.payload.size());
        if (!page.empty() && total > bytes) break;
        page.push_back(next->entry);
    }
    return page;
}

ReleaseLog::NewestPage ReleaseLog::newest_after(std::optional<SoftwareName> const& name, std::size_t most,
                                                Bytes bytes) const {
    NewestPage page;
    Bytes total{};
    auto const begin = name ? newest_.upper_bound(*name) : newest_.begin();
    for (auto next = begin; next != newest_.end(); ++next) {
        auto const& entry = log_[next->second].entry;
        total += Bytes(entry.update.payload.size());
        if (page.entries.size() == most || (!page.entries.empty() && total > bytes)) {
            page.rest = std::prev(next)->first;
            break;
        }
        page.entries.push_back(entry);
    }
    return page;
}

std::vector<Release const*> ReleaseLog::superseded(std::size_t keep) const {
    std::vector<Release const*> found;
    std::map<SoftwareName, std::size_t> newer;
    for (auto release = log_.rbegin(); release != log_.rend(); ++release) {
        if (newer[release->info.software]++ >= keep) found.push_back(&*release);
    }
    return found;
}

store::Batch ReleaseLog::removal(std::vector<Seq> const& entries) const {
    auto identity = identity_;
    store::Batch batch;
    for (auto const seq : entries) {
        identity.removed = std::max(identity.removed, seq);
        batch.push_back({table, store::key_of(seq.value), std::nullopt});
    }
    auto const changes = changes_to(identity);
    batch.insert(batch.end(), changes.begin(), changes.end());
    return batch;
}

void ReleaseLog::remove(std::vector<Seq> const& entries) {
    for (auto const seq : entries) identity_.removed = std::max(identity_.removed, seq);
    std::erase_if(log_, [&](Release const& release) {
        return std::find(entries.begin(), entries.end(), release.entry.seq) != entries.end();
    });
    index();
}

void ReleaseLog::adopt(LogIdentity const& identity) {
    LULL_INVARIANT(!pending_);
    identity_ = identity;
}

LogEntry ReleaseLog::reserve(Envelope update, UpdateInfo info, WallTime now) {
    LULL_INVARIANT(!pending_);
    LogEntry entry{Seq{std::max(head(), identity_.used).value + 1}, head(), now, std::move(update)};
    pending_ = Release{entry, std::move(info)};
    return entry;
}

store::Change ReleaseLog::change(LogEntry const& entry) {
    return {table, store::key_of(entry.seq.value), encode(entry)};
}

Release const& ReleaseLog::confirm() {
    LULL_INVARIANT(pending_.has_value());
    append(std::move(*pending_));
    pending_.reset();
    return log_.back();
}

std::optional<SoftwareName> ReleaseLog::numbered(std::uint32_t number) const {
    if (number >= numbered_.size()) return std::nullopt;
    return numbered_[number];
}

void ReleaseLog::append(Release release) {
    auto const number = static_cast<std::uint32_t>(numbered_.size());
    if (numbers_.try_emplace(release.info.software, number).second) numbered_.push_back(release.info.software);
    newest_[release.info.software] = log_.size();
    by_version_[{release.info.software, release.info.version}] = log_.size();
    for (auto const& build : release.info.builds) manifests_.insert_or_assign(build.manifest, release.info.software);
    log_.push_back(std::move(release));
}

void ReleaseLog::index() {
    newest_.clear();
    by_version_.clear();
    manifests_.clear();
    for (std::size_t i = 0; i < log_.size(); ++i) {
        newest_[log_[i].info.software] = i;
        by_version_[{log_[i].info.software, log_[i].info.version}] = i;
        for (auto const& build : log_[i].info.builds)
            manifests_.insert_or_assign(build.manifest, log_[i].info.software);
    }
}

}  // namespace lull::broker
