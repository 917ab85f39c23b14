#pragma once

#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "subscriber/tree/file_copier.hpp"
#include "subscriber/tree/segment_runs.hpp"
#include "subscriber/tree/tree_repair.hpp"

namespace lull::subscriber {

// Where the right bytes of a damaged tree's files are to be had on this disk. Everything that is read is checked by its
// digest.
class RepairSources {
public:
    // `differences`: files of the tree that are not to be trusted as sources.
    RepairSources(RepairJob const& job, Layout const& layout, std::vector<Difference> const& differences);

    // Finds out what this and the other versions have.
    [[nodiscard]] Status open();

    // Writes the contents of a file of the manifest into an empty one, and checks them. `damaged` is what stands in its
    // place, or -1. False if segments are lacking.
    [[nodiscard]] Result<bool> fill(Entry const& entry, int into, int damaged);

    // Each once, in the order in which they were missed.
    [[nodiscard]] std::vector<Segment> const& lacking() const { return lacking_; }
    [[nodiscard]] std::vector<Digest> const& damaged() const { return damaged_; }

private:
    // A file with known contents: if it is what its manifest says.
    struct Equal {
        ReleaseId release;
        std::string path;
    };

    void add(ReleaseId const& release, Manifest const& manifest, std::unordered_set<std::string_view> const& but);
    [[nodiscard]] Result<bool> copy_equal(Entry const& entry, int into);
    [[nodiscard]] Result<bool> from_segments(Entry const& entry, int into, int damaged);
    // The bytes of a whole segment: from the damaged file if all of it lies there, or from incoming/.
    [[nodiscard]] std::optional<Buffer> segment(Segment const& segment, SegmentRun const& run, int damaged);
    [[nodiscard]] std::optional<Buffer> fetched(Segment const& segment);
    void miss(Segment const& segment);

    RepairJob const& job_;
    Layout const& layout_;
    FileDescriptor versions_;  // the directory
    std::optional<Writeback> writeback_;
    std::optional<FileCopier> copier_;
    std::unordered_set<std::string_view> doubtful_;  // paths of this tree
    std::unordered_multimap<Digest, Equal, DigestHash> equal_;
    std::optional<std::pair<Digest, Buffer>> last_;  // small files lie many to a segment
    std::unordered_set<Digest, DigestHash> missed_;
    std::vector<Segment> lacking_;
    std::vector<Digest> damaged_;
};

}  // namespace lull::subscriber
