#pragma once

#include "schema/manifest.hpp"
#include "subscriber/disk/hash_file.hpp"
#include "subscriber/tree/writeback.hpp"

namespace lull::subscriber {

// Copies files of an installed release, and hashes the bytes on their way. Memory: one
// block for all files.
class FileCopier {
public:
    // `writeback` and `step` outlive this object.
    FileCopier(Writeback& writeback, ReadStep const& step) : writeback_(writeback), step_(step) {}

    // Fills an empty file with another that should have the contents of this entry, by a reflink where the file system
    // can; holes of sparse files stay holes. Gives the SHA-256 of as many bytes. A source that has become shorter gives
    // the digest of what there is.
    [[nodiscard]] Result<Digest> copy(int from, int to, Entry const& entry, fs::path const& path);

private:
    [[nodiscard]] bool reflink(int from, int to);

    Writeback& writeback_;
    ReadStep const& step_;
    Buffer block_;
    bool can_reflink_ = true;  // until the file system says that it cannot
};

}  // namespace lull::subscriber
