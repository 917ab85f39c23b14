#pragma once

#include <string>

#include "core/files.hpp"
#include "core/units.hpp"

// The home of libarchive.

namespace lull::publisher {

// Whether a file's name says that it is an archive that lull unpacks.
[[nodiscard]] bool has_archive_name(fs::path const& path);

// Bounds on what an archive may unpack to; free space is a further one.
struct ArchiveLimits {
    Bytes contents = GiB(256);
    std::size_t entries = 1'000'000;
};

// A private temporary directory with an archive's contents, removed with this object. Files are 0644 or 0755,
// directories 0755.
class UnpackedArchive {
public:
    // Unpacks into $TMPDIR, else /var/tmp. Members that lead out of the directory or through a link, and types that no
    // release can hold, are Fault::refused; a bad archive is Fault::damaged; the error names archive and member.
    [[nodiscard]] static Result<UnpackedArchive> unpack(fs::path const& archive, ArchiveLimits const& most);

    [[nodiscard]] fs::path const& path() const { return path_; }

    ~UnpackedArchive();
    UnpackedArchive(UnpackedArchive&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    UnpackedArchive& operator=(UnpackedArchive&&) = delete;

private:
    explicit UnpackedArchive(fs::path path) : path_(std::move(path)) {}
    fs::path path_;  // empty once moved from
};

}  // namespace lull::publisher
