#pragma once

#include <sys/stat.h>

#include <optional>
#include <vector>

#include "subscriber/disk/layout.hpp"

namespace lull::subscriber {

// What lstat(2) showed of a file when its bytes were read and right, in 8 bytes: as long as it shows the same, the
// bytes need not be read again. Zero: not known.
using FileMark = std::uint64_t;

// Over inode, mode, size, mtime and ctime. Zero if the file was changed less than two seconds before `looked`: a
// further change within the same tick of the file system's clock would not be seen. (The device is left out: its number
// may change with a restart.)
[[nodiscard]] FileMark mark_of(struct stat const& status, WallTime looked);

// The marks of a tree, one for each entry of its manifest; those of directories and links are zero.
struct TreeMarks {
    Digest manifest;  // of the envelope that lies in releases/: marks of another manifest are of no use
    std::vector<FileMark> marks;
    bool operator==(TreeMarks const&) const = default;
};

// releases/SEQ-VERSION.seen (store/FORMAT.md). Nothing if there is none, or if it is not for this manifest: then
// everything is read.
[[nodiscard]] std::optional<TreeMarks> load_marks(Layout const& layout, ReleaseId const& release,
                                                  Digest const& manifest, std::size_t entries);
[[nodiscard]] Status save_marks(Layout const& layout, ReleaseId const& release, TreeMarks const& marks);

}  // namespace lull::subscriber
