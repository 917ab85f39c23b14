#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "schema/manifest.hpp"
#include "schema/messages.hpp"
#include "subscriber/disk/hash_file.hpp"
#include "subscriber/disk/layout.hpp"
#include "subscriber/disk/manifest_files.hpp"
#include "subscriber/disk/object_files.hpp"
#include "subscriber/install/memory_budget.hpp"
#include "subscriber/tree/patched.hpp"
#include "subscriber/tree/segment_runs.hpp"

namespace lull::subscriber {

// What is needed to build the tree of a release from bytes that are all here.
struct StageJob {
    ReleaseId release;
    Manifest manifest;
    Buffer manifest_envelope;               // as it was fetched and signed
    std::map<Digest, ObjectShape> objects;  // by segment digest: what lies complete in incoming/
    InstalledBase const* base = nullptr;    // an installed release whose equal files are copied
    Patched const* patched = nullptr;       // gives segments that are not in `objects`
    ReadStep step{};                        // false: stop, with Fault::cancelled
    MemoryBudget* memory = nullptr;         // that is shared with other installations
};

// What staging did.
struct StageReport {
    std::size_t files = 0;
    Bytes unpacked{};        // file contents that came from fetched objects
    Bytes cloned{};          // file contents that came from the base
    bool was_there = false;  // the tree had been staged before and is intact: nothing was written
};

// Why staging failed, and what would help. Damaged objects: remove them and fetch them again. Missing objects:
// segments that are neither in `objects` nor to be had from the base, whole or by a delta (its copy may be damaged):
// fetch them too. Both empty: fetching does not help; with Fault::no_space try again when there is room, with any other
// fault the release cannot be installed here.
struct StageFailure {
    Error error;
    std::vector<Digest> damaged;
    std::vector<Digest> missing;
};

// Builds versions/SEQ-VERSION completely and durably: every file hashed again from disk, manifest and lock file
// beside it. After a crash at any point the same call starts over or accepts what is finished; an existing tree
// that is not intact is replaced in one step. A failure leaves no staging directory behind; a stop by the
// job's step leaves it to the next call, or to remove_superseded(). Keeps `reserve` of the disk free. Memory: one
// segment and one object.
[[nodiscard]] tl::expected<StageReport, StageFailure> stage(StageJob const& job, Layout const& layout,
                                                            ObjectFiles& objects, Bytes reserve);

}  // namespace lull::subscriber
