#pragma once

#include <string>
#include <vector>

#include "core/units.hpp"
#include "publisher/tree/scratch_directory.hpp"

// The home of libarchive.

namespace lull::publisher {

// Whether a file's name says that it is an archive that lull unpacks.
[[nodiscard]] bool has_archive_name(fs::path const& path);

// Bounds on what an archive may unpack to; free space is a further one.
struct ArchiveLimits {
    Bytes contents = GiB(256);
    std::size_t entries = 1'000'000;
    bool any_expansion = false;  // else at most 100 times the size of the archive, from 1 GiB on
};

// A private temporary directory with an archive's contents, removed with this object. Files and
// directories have the modes and files the times that the archive says; without modes of Unix (zip) files are 0644,
// directories 0755.
class UnpackedArchive {
public:
    // Unpacks into $TMPDIR, else /var/tmp. Members that lead out of the directory or through a link, and types that no
    // release can hold, are Fault::refused; a bad archive is Fault::damaged; the error names archive and member.
    [[nodiscard]] static Result<UnpackedArchive> unpack(fs::path const& archive, ArchiveLimits const& most);

    [[nodiscard]] fs::path const& path() const { return directory_.path(); }
    // What a user should know although the archive was accepted.
    [[nodiscard]] std::vector<std::string> const& notes() const { return notes_; }

private:
    explicit UnpackedArchive(ScratchDirectory directory) : directory_(std::move(directory)) {}
    ScratchDirectory directory_;
    std::vector<std::string> notes_;
};

}  // namespace lull::publisher
