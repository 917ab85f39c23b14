#pragma once

#include <vector>

#include "schema/manifest.hpp"

namespace lull::store {

// A file of a tree that is about to be cut: what the plan depends on.
struct SourceFile {
    std::size_t entry = 0;  // index into the manifest's entries
    Bytes size{};
    Digest digest;
};

// A run of bytes of one source file within a segment.
struct Piece {
    std::size_t file = 0;  // index into the source files
    Bytes offset{};        // in that file
    Bytes length{};
};

// Which bytes make up a segment.
struct PlannedSegment {
    std::vector<Piece> pieces;
    Bytes size{};
};

// Where each file's contents begin: (segment, offset in it); for empty files nothing is meant.
struct FileStart {
    std::uint32_t segment = 0;
    Bytes offset{};
};

struct SegmentPlan {
    std::vector<PlannedSegment> segments;
    std::vector<FileStart> starts;  // parallel to the source files
};

// Cuts files (in manifest order) into segments: a file of 4 MiB or more gets segments of its own of at most 16 MiB;
// smaller ones are batched up to 4 MiB. A batch also ends after a file whose digest begins with a 6-bit zero once it
// holds 512 KiB, so that inserting a file moves the bounds of its own batch only. Equal contents appear once. Pure:
// depends on sizes and digests only.
[[nodiscard]] SegmentPlan plan_segments(std::vector<SourceFile> const& files);

}  // namespace lull::store
