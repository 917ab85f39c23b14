#pragma once

#include <map>
#include <vector>

#include "schema/messages.hpp"
#include "subscriber/disk/object_files.hpp"
#include "subscriber/tree/tree_check.hpp"

namespace lull::subscriber {

// What is needed to put an installed tree right.
struct RepairJob {
    ReleaseId release;
    Manifest const& manifest;
    std::map<Digest, ObjectShape> const& objects;  // by segment digest: what lies complete in incoming/
    Bytes reserve{};                               // of the disk, which is never used
    ReadStep step;                                 // called after each piece; false: stop
};

// What came of it.
struct Repaired {
    std::vector<Segment> lacking;  // to be fetched: what neither this disk nor incoming/ has
    std::vector<Digest> damaged;  // objects in incoming/ that are not what they should be: remove, and fetch them again
    Status status;                // the first thing that could not be done; lacking bytes are no failure
};

// Puts right what differs, path by path: a file is made anew beside the tree, checked, fsynced and renamed over the
// damaged path, so that at any moment either the damaged or the right one is there, and whoever has the old one open
// keeps it. Bytes come from the damaged file's own good parts, from equal files of this and of other versions, and from
// incoming/. Nothing outside of the tree is reached, neither through symlinks nor through mount points. Look at the
// tree again afterwards: that alone says what is right.
[[nodiscard]] Repaired repair_tree(RepairJob const& job, std::vector<Difference> const& differences,
                                   Layout const& layout);

// Removes what an interrupted repair has left beside the tree. Not while one runs.
[[nodiscard]] Status clear_repairs(Layout const& layout, SoftwareName const& software);

}  // namespace lull::subscriber
