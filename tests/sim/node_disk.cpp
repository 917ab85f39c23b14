#include "tests/sim/node_disk.hpp"

#include <algorithm>

namespace lull::sim {

namespace {

template <class Record>
Record decoded(Buffer const& value) {
    auto record = decode<Record>(value, limits::control_message);
    LULL_INVARIANT(record.has_value());
    return std::move(*record);
}

}  // namespace

void NodeDisk::apply_meta(std::string_view key, Buffer const& value) {
    if (key == "cursor") journal.cursor = decoded<subscriber::Cursor>(value);
    if (key == "orders") journal.orders = decoded<OrderSet>(value);
    if (key == "own orders") journal.own_orders = decoded<OrderSet>(value);
}

void NodeDisk::apply(store::Batch const& batch) {
    for (auto const& change : batch) {
        if (change.table == subscriber::journal::meta) {
            apply_meta(as_text(change.key), *change.value);
        } else if (change.table == subscriber::journal::software) {
            journal.software[*SoftwareName::parse(as_text(change.key))] = decoded<subscriber::SoftwareRecord>(
                *change.value);
        } else if (change.table == subscriber::journal::outbox) {
            auto const name = *SoftwareName::parse(as_text(change.key));
            if (change.value) {
                journal.outbox[name] = decoded<Report>(*change.value);
            } else {
                journal.outbox.erase(name);
            }
        } else if (change.table == subscriber::journal::scans) {
            journal.scans[*SoftwareName::parse(as_text(change.key))] = decoded<subscriber::ScanRecord>(*change.value);
        } else {
            auto const object = *Digest::from_bytes(change.key);
            if (change.value) {
                journal.objects[object] = decoded<subscriber::ObjectRecord>(*change.value);
                rewritten.erase(object);
            } else {
                journal.objects.erase(object);
            }
        }
    }
}

void NodeDisk::write(Digest const& object, Bytes offset, View bytes, Random& random) {
    if (offset.zero()) {
        incoming.erase(object);
        damaged.erase(object);
        if (journal.objects.contains(object)) rewritten.insert(object);
    }
    auto& file = incoming[object];
    file.good.reset();
    auto const begin = offset.count();
    if (file.bytes.size() < begin + bytes.size()) file.bytes.resize(begin + bytes.size());
    bool const same = std::equal(bytes.begin(), bytes.end(), file.bytes.begin() + static_cast<std::ptrdiff_t>(begin));
    if (!same) file.synced = std::min(file.synced, begin);
    std::copy(bytes.begin(), bytes.end(), file.bytes.begin() + static_cast<std::ptrdiff_t>(begin));
    if (random.chance(damage)) {
        file.bytes[begin] ^= std::byte{1};
        file.synced = std::min(file.synced, begin);
        damaged.insert(object);
    }
}

void NodeDisk::sync(Digest const& object) {
    auto const file = incoming.find(object);
    if (file != incoming.end()) file->second.synced = file->second.bytes.size();
}

bool NodeDisk::holds(Digest const& object) const {
    auto const file = incoming.find(object);
    if (file == incoming.end()) return false;
    auto& good = file->second.good;
    if (!good) good = sha256(file->second.bytes) == object;
    return *good;
}

void NodeDisk::sync_names(SoftwareName const& software) {
    std::erase_if(durable_versions_,
                  [&](auto const& version) { return version.software == software && !versions.contains(version); });
    for (auto const& version : versions) {
        if (version.software == software) durable_versions_.insert(version);
    }
    if (auto const found = current.find(software); found != current.end())
        durable_current_.insert_or_assign(software, found->second);
}

void NodeDisk::remove_tree(ReleaseId const& release) {
    versions.erase(release);
    durable_versions_.erase(release);
    drift.erase(release);
}

void NodeDisk::cut_power(Random& random) {
    for (auto& [object, file] : incoming) {
        auto const loose = file.bytes.size() - file.synced;
        if (loose == 0) continue;
        auto const kept = file.synced + random.below(loose + 1);
        if (random.chance(0.5)) {
            file.bytes.resize(kept);
        } else {
            std::fill(file.bytes.begin() + static_cast<std::ptrdiff_t>(kept), file.bytes.end(), std::byte{0});
        }
        file.synced = file.bytes.size();
        file.good.reset();
    }
    std::erase_if(versions,
                  [&](auto const& version) { return !durable_versions_.contains(version) && random.chance(0.5); });
    for (auto& [software, release] : current) {
        auto const durable = durable_current_.find(software);
        bool const falls_back = durable != durable_current_.end() && durable->second != release && random.chance(0.5);
        if (falls_back) release = durable->second;
    }
    std::erase_if(current,
                  [&](auto const& entry) { return !durable_current_.contains(entry.first) && random.chance(0.5); });
    for (auto const& version : std::set(versions)) sync_names(version.software);
}

void NodeDisk::reconcile() {
    std::erase_if(journal.objects, [&](auto const& record) {
        auto const file = incoming.find(record.first);
        return file == incoming.end() || file->second.bytes.size() < record.second.durable.count();
    });
    std::erase_if(incoming, [&](auto const& file) { return !journal.objects.contains(file.first); });
    rewritten.clear();
}

}  // namespace lull::sim
