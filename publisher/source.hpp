#pragma once

#include <sys/stat.h>

#include <memory>
#include <string>
#include <vector>

#include "core/files.hpp"
#include "core/units.hpp"
#include "schema/manifest.hpp"

namespace lull::publisher {

class UnpackedArchive;

// What stat(2) says about a file. While all of it stays the same, so do the contents.
struct FileStamp {
    Bytes size{};
    std::int64_t modified = 0;  // ns since 1970-01-01
    std::int64_t changed = 0;   // ns since 1970-01-01; the kernel's own clock
    std::uint64_t inode = 0;
    std::uint64_t device = 0;
    static void describe(auto& self, auto& visit) {
        visit("z", self.size);
        visit("m", self.modified);
        visit("c", self.changed);
        visit("i", self.inode);
        visit("d", self.device);
    }
    bool operator==(FileStamp const&) const = default;
};
[[nodiscard]] FileStamp stamp_of(struct stat const& status);

// One path of a tree that is to become a release; nothing has been read yet but its directory entry.
struct SourceEntry {
    std::string path;  // as a manifest wants it
    EntryType type = EntryType::file;
    bool executable = false;
    FileStamp stamp;     // files only
    std::string target;  // symlinks only
};

// A scanned tree. Entries are sorted by path.
struct SourceTree {
    fs::path root;    // absolute; entries' paths begin here
    fs::path single;  // where the one entry of a single file really lies, which may be behind links; empty for trees
    std::vector<SourceEntry> entries;
    std::int64_t scanned = 0;  // when the scan began, ns since 1970-01-01
    bool lasting = false;      // the same place can be published again, so remembering its files pays
    // Holds the temporary directory of an archive. shared_ptr because a tree is a value that several jobs may read.
    std::shared_ptr<UnpackedArchive const> unpacked;

    // Where an entry lies.
    [[nodiscard]] fs::path place(SourceEntry const& entry) const { return single.empty() ? root / entry.path : single; }
};

// What happens to a directory that is alone at the top of an archive.
enum class TopDirectory { keep, strip };

// Scans what the operator named: a directory (or mounted medium), a single file (a tree of that one file), or an
// archive, by its name (.tar, .tar.gz, .tar.xz, .tar.zst, .tar.bz2, .tgz, .txz, .tzst, .tbz2, .zip), which is unpacked
// into a temporary directory first. Fault::not_found for a missing path; Fault::refused for types that no release can
// hold, with path and what to do; Fault::usage for nothing to publish or a strip that makes no sense.
[[nodiscard]] Result<SourceTree> open_source(fs::path const& path, TopDirectory top);

// The sorted entries of a directory tree, checked by the rules for paths and links.
[[nodiscard]] Result<std::vector<SourceEntry>> scan_directory(fs::path const& root);

}  // namespace lull::publisher
