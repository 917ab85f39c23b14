#include "subscriber/tree/segment_runs.hpp"

#include <algorithm>
#include <set>

namespace lull::subscriber {

SegmentRuns::SegmentRuns(Manifest const& manifest, std::vector<std::size_t> const& entries) : manifest_(manifest) {
    for (auto const index : entries) {
        auto const& entry = manifest.entries[index];
        if (!entry.size.zero() && entry.segment && entry.offset) starting_.push_back(index);
    }
    std::stable_sort(starting_.begin(), starting_.end(), [&](std::size_t a, std::size_t b) {
        return *manifest.entries[a].segment < *manifest.entries[b].segment;
    });
}

void SegmentRuns::add_run(Open file, Bytes in_segment) {
    auto const end = manifest_.segments[segment_].size;
    auto const left = manifest_.entries[file.entry].size - file.done;
    auto const length = in_segment < end ? std::min(left, end - in_segment) : Bytes(0);
    if (!length.zero()) runs_.push_back({file.entry, file.done, in_segment, length});
    if (length < left) open_.push_back({file.entry, file.done + length});
}

std::optional<std::uint32_t> SegmentRuns::next() {
    runs_.clear();
    if (open_.empty()) {
        if (begun_ == starting_.size()) return std::nullopt;
        segment_ = *manifest_.entries[starting_[begun_]].segment;
    }
    // A valid manifest's files end within its segments.
    if (segment_ >= manifest_.segments.size()) return std::nullopt;
    for (auto const& file : std::exchange(open_, {})) add_run(file, Bytes(0));
    for (; begun_ < starting_.size() && *manifest_.entries[starting_[begun_]].segment == segment_; ++begun_) {
        auto const index = starting_[begun_];
        add_run({index, Bytes(0)}, *manifest_.entries[index].offset);
    }
    return segment_++;
}

std::vector<std::uint32_t> wanted_segments(Manifest const& manifest, Manifest const* base) {
    std::set<Digest> provided;
    if (base != nullptr) {
        for (auto const& entry : base->entries) {
            if (entry.type == EntryType::file && entry.digest) provided.insert(*entry.digest);
        }
    }
    std::vector<std::size_t> files;
    for (std::size_t i = 0; i < manifest.entries.size(); ++i) {
        auto const& entry = manifest.entries[i];
        if (entry.type == EntryType::file && entry.digest && !provided.contains(*entry.digest)) files.push_back(i);
    }
    std::vector<std::uint32_t> wanted;
    SegmentRuns segments(manifest, files);
    while (auto const segment = segments.next()) wanted.push_back(*segment);
    return wanted;
}

}  // namespace lull::subscriber
