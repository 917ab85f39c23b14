#include "subscriber/tree/repair_sources.hpp"

#include <unistd.h>

#include <algorithm>

#include "schema/limits.hpp"
#include "store/compression.hpp"
#include "subscriber/disk/manifest_files.hpp"
#include "subscriber/tree/sparse_write.hpp"

namespace lull::subscriber {

RepairSources::RepairSources(RepairJob const& job, Layout const& layout, std::vector<Difference> const& differences)
    : job_(job),
      layout_(layout) {
    for (auto const& difference : differences) doubtful_.insert(difference.path);
}

Status RepairSources::open() {
    auto const path = layout_.versions(job_.release.software);
    auto versions = open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!versions) return pass(versions.error());
    versions_ = *std::move(versions);
    writeback_.emplace(versions_.get(), path);
    copier_.emplace(*writeback_, job_.step);
    auto const installed = layout_.installed(job_.release.software);
    if (!installed) return pass(installed.error());
    add(job_.release, job_.manifest, doubtful_);
    for (auto const& release : *installed) {
        if (release == job_.release) continue;
        if (auto const manifest = load_manifest(layout_, release)) add(release, *manifest, {});
    }
    return {};
}

void RepairSources::add(ReleaseId const& release, Manifest const& manifest,
                        std::unordered_set<std::string_view> const& but) {
    for (auto const& entry : manifest.entries) {
        bool const serves = entry.type == EntryType::file && !entry.size.zero() && entry.digest &&
                            !but.contains(entry.path);
        if (serves) equal_.emplace(*entry.digest, Equal{release, entry.path});
    }
}

Result<bool> RepairSources::fill(Entry const& entry, int into, int damaged) {
    if (entry.size.zero()) return true;
    auto const copied = copy_equal(entry, into);
    if (!copied || *copied) return copied;
    return from_segments(entry, into, damaged);
}

Result<bool> RepairSources::copy_equal(Entry const& entry, int into) {
    auto const [begin, end] = equal_.equal_range(*entry.digest);
    for (auto found = begin; found != end; ++found) {
        auto const tree_path = layout_.tree(found->second.release);
        auto const tree = open_file(tree_path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
        if (!tree) continue;
        auto const source = open_beneath(tree->get(), found->second.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        if (!source) continue;
        auto const path = tree_path / found->second.path;
        auto const digest = copier_->copy(source->get(), into, entry, path);
        bool const useless_to_go_on = !digest && (digest.error().fault == Fault::no_space ||
                                                  digest.error().fault == Fault::cancelled);
        if (useless_to_go_on) return pass(digest.error());
        if (digest && *digest == entry.digest) {
            // What is put in place is what the disk gives back.
            auto const written = hash_file(into, path, job_.step);
            if (!written && written.error().fault == Fault::cancelled) return pass(written.error());
            if (written && *written == entry.digest) return true;
        }
        if (ftruncate(into, 0) != 0) return fail_errno("empty the copy of", path);
    }
    return false;
}

// Goes on after a segment that is lacking, so that all of them are known at the end.
Result<bool> RepairSources::from_segments(Entry const& entry, int into, int damaged) {
    auto const path = layout_.repairing(job_.release.software);
    auto const index = static_cast<std::size_t>(&entry - job_.manifest.entries.data());
    SegmentRuns segments(job_.manifest, {index});
    bool whole = true;
    if (auto made = make_hole(into, entry, path); !made) return pass(made.error());
    while (auto const number = segments.next()) {
        if (job_.step && !job_.step(Bytes())) return stopped_at(path);
        auto const& wanted = job_.manifest.segments[*number];
        for (auto const& run : segments.runs()) {
            auto const bytes = segment(wanted, run, damaged);
            if (!bytes) miss(wanted);
            whole &= bytes.has_value();
            if (!whole) continue;
            auto const part = View(*bytes).subspan(run.in_segment.count(), run.length.count());
            if (auto written = write_contents(into, entry, run.in_file, part, path); !written)
                return pass(written.error());
        }
    }
    if (!whole) return false;
    auto const digest = hash_file(into, path, job_.step);
    if (!digest) return pass(digest.error());
    if (*digest == entry.digest) return true;
    return fail(Fault::damaged,
                "the segments of {} give other contents than its manifest says; publish the release again", entry.path);
}

std::optional<Buffer> RepairSources::segment(Segment const& segment, SegmentRun const& run, int damaged) {
    bool const all_of_it = run.in_segment.zero() && run.length == segment.size;
    if (damaged >= 0 && all_of_it) {
        Buffer bytes(segment.size.count());
        bool const read = read_exactly(damaged, run.in_file.count(), bytes, "the damaged file").has_value();
        if (read && sha256(bytes) == segment.digest) return bytes;
    }
    if (last_ && last_->first == segment.digest) return last_->second;
    auto bytes = fetched(segment);
    if (bytes) last_.emplace(segment.digest, *bytes);
    return bytes;
}

std::optional<Buffer> RepairSources::fetched(Segment const& segment) {
    auto const shape = job_.objects.find(segment.digest);
    if (shape == job_.objects.end()) return std::nullopt;
    auto const stored = ObjectFiles(layout_.incoming()).read(segment.digest, limits::stored_object);
    if (stored && shape->second.object == segment.digest && shape->second.plain == segment.size) {
        if (auto plain = store::unpack_object(shape->second, *stored, limits::segment)) return std::move(*plain);
    }
    if (std::ranges::find(damaged_, segment.digest) == damaged_.end()) damaged_.push_back(segment.digest);
    return std::nullopt;
}

void RepairSources::miss(Segment const& segment) {
    if (missed_.insert(segment.digest).second) lacking_.push_back(segment);
}

}  // namespace lull::subscriber
