#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "schema/manifest.hpp"

namespace lull::subscriber {

// Bytes of one segment that are bytes of one file.
struct SegmentRun {
    std::size_t entry = 0;  // index into the manifest's entries
    Bytes in_file{};        // where they begin in the file
    Bytes in_segment{};     // where they begin in the segment
    Bytes length{};
};

// Goes through the segments that some files of a manifest need, in ascending order, and says which bytes go where.
// Memory in proportion to the files, not to files times segments.
class SegmentRuns {
public:
    // `entries` are indices of files; those without contents are passed over. The manifest outlives this object.
    SegmentRuns(Manifest const& manifest, std::vector<std::size_t> const& entries);

    // The next segment, if there is one; runs() then are its runs.
    [[nodiscard]] std::optional<std::uint32_t> next();
    [[nodiscard]] std::vector<SegmentRun> const& runs() const { return runs_; }

private:
    struct Open {
        std::size_t entry = 0;
        Bytes done{};
    };
    void add_run(Open file, Bytes in_segment);

    Manifest const& manifest_;
    std::vector<std::size_t> starting_;  // files not begun, by segment
    std::size_t begun_ = 0;              // how many of them have been
    std::vector<Open> open_;             // files that go on in the next segment
    std::vector<SegmentRun> runs_;
    std::uint32_t segment_ = 0;  // the one that comes next
};

// Indices of the segments that are needed for files of which `base` has no equal one, ascending.
[[nodiscard]] std::vector<std::uint32_t> wanted_segments(Manifest const& manifest, Manifest const* base);

}  // namespace lull::subscriber
