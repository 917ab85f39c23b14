#include "store/bases.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>

namespace lull::store {

namespace {

bool has_contents(Entry const& entry) { return entry.type == EntryType::file && !entry.size.zero(); }

std::string_view name_of(std::string_view path) {
    auto const slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// The files of the old release, by what one of the new may share with them.
class OldFiles {
public:
    OldFiles(Manifest const& from, std::map<Digest, Digest> const& alike) : from_(from), alike_(alike) {
        for (auto const& entry : from.entries) {
            if (!has_contents(entry)) continue;
            by_digest_.emplace(*entry.digest, &entry);
            by_path_.emplace(entry.path, &entry);
            by_name_.emplace(name_of(entry.path), &entry);
        }
    }

    [[nodiscard]] bool equal(Entry const& entry) const { return by_digest_.contains(*entry.digest); }

    [[nodiscard]] Entry const* like(Entry const& entry) const {
        if (auto const found = by_digest_.find(*entry.digest); found != by_digest_.end()) return found->second;
        if (auto const found = by_path_.find(entry.path); found != by_path_.end()) return found->second;
        auto const [begin, end] = by_name_.equal_range(name_of(entry.path));
        auto const distance = [&](Entry const& old) {
            return std::max(old.size, entry.size).count() - std::min(old.size, entry.size).count();
        };
        Entry const* nearest = nullptr;
        for (auto old = begin; old != end; ++old) {
            if (nearest == nullptr || distance(*old->second) < distance(*nearest)) nearest = old->second;
        }
        if (nearest != nullptr) return nearest;
        auto const twin = alike_.find(*entry.digest);
        auto const found = twin == alike_.end() ? by_digest_.end() : by_digest_.find(twin->second);
        return found == by_digest_.end() ? nullptr : found->second;
    }

    // The whole of it.
    [[nodiscard]] BaseRange range(Entry const& entry) const {
        return {static_cast<std::uint32_t>(&entry - from_.entries.data()), {}, {}};
    }

private:
    Manifest const& from_;
    std::map<Digest, Digest> const& alike_;
    std::unordered_map<Digest, Entry const*, DigestHash> by_digest_;
    std::unordered_map<std::string_view, Entry const*> by_path_;
    std::multimap<std::string_view, Entry const*> by_name_;
};

// A file's bytes in one segment.
struct Part {
    Entry const* entry = nullptr;
    Bytes in_file{};
};

// Which files' bytes make up each segment. Several files may share them: then each is named.
std::vector<std::vector<Part>> parts_by_segment(Manifest const& manifest) {
    std::vector<std::vector<Part>> parts(manifest.segments.size());
    for (auto const& entry : manifest.entries) {
        if (!has_contents(entry)) continue;
        Bytes done{};
        Bytes offset = *entry.offset;
        for (auto segment = *entry.segment; done < entry.size; ++segment) {
            parts[segment].push_back({&entry, done});
            done += manifest.segments[segment].size - offset;
            offset = {};
        }
    }
    return parts;
}

// Whole files in the order of the segment, each once, as long as they fit.
std::vector<BaseRange> base_of(std::vector<Part> const& parts, OldFiles const& old) {
    std::vector<BaseRange> base;
    std::set<Digest> taken;
    Bytes total{};
    for (auto const& part : parts) {
        auto const* like = old.like(*part.entry);
        if (like == nullptr || total + like->size > limits::delta_base || !taken.insert(*like->digest).second) continue;
        base.push_back(old.range(*like));
        total += like->size;
    }
    return base;
}

}  // namespace

Strangers find_strangers(Manifest const& from, Manifest const& to) {
    std::map<Digest, Digest> const nothing;
    OldFiles const old(from, nothing);
    OldFiles const now(to, nothing);
    Strangers strangers;
    for (auto const& entry : from.entries) {
        if (has_contents(entry) && now.like(entry) == nullptr) strangers.gone.push_back(*entry.digest);
    }
    for (auto const& entry : to.entries) {
        if (has_contents(entry) && old.like(entry) == nullptr) strangers.fresh.push_back(*entry.digest);
    }
    return strangers;
}

std::vector<LackingSegment> find_bases(Manifest const& from, Manifest const& to,
                                       std::map<Digest, Digest> const& alike) {
    OldFiles const old(from, alike);
    auto const parts = parts_by_segment(to);
    std::vector<LackingSegment> lacking;
    for (std::uint32_t segment = 0; segment < parts.size(); ++segment) {
        auto const here = [&](Part const& part) { return old.equal(*part.entry); };
        if (std::ranges::all_of(parts[segment], here)) continue;
        LackingSegment found{segment, {}, false, 0};
        auto const& first = parts[segment].front();
        auto const* like = old.like(*first.entry);
        if (parts[segment].size() == 1 && like != nullptr && like->size > limits::delta_base) {
            found.base = {old.range(*like)};
            found.to_locate = true;
            found.relative_place = static_cast<double>(first.in_file.count()) /
                                   static_cast<double>(first.entry->size.count());
        } else {
            found.base = base_of(parts[segment], old);
        }
        lacking.push_back(std::move(found));
    }
    return lacking;
}

}  // namespace lull::store
