#pragma once

#include <sys/stat.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/files.hpp"
#include "core/units.hpp"
#include "publisher/tree/excludes.hpp"
#include "schema/manifest.hpp"

namespace lull::publisher {

class UnpackedArchive;

// What stat(2) reports about a file. Equal stamps mean equal contents.
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
    std::string path;  // as in a manifest
    EntryType type = EntryType::file;
    std::uint32_t mode = 0;  // the nine permission bits; not of symlinks
    FileStamp stamp;         // files only
    bool sparse = false;     // files only: it has holes
    std::string target;      // symlinks only
};

// A scanned tree. Entries are sorted by path.
struct SourceTree {
    fs::path root;    // absolute; entries' paths begin here
    fs::path single;  // the resolved path of a single file; empty for trees
    std::vector<SourceEntry> entries;
    std::vector<std::string> interpreters{};  // of Python virtual environments: absolute targets of links, sorted
    std::int64_t scanned = 0;                 // when the scan began, ns since 1970-01-01
    bool lasting = false;                     // the path can be published again, so a cache of its files is of use
    std::vector<std::string> notes;           // what the user should know of it
    // Holds the temporary directory of an archive. shared_ptr because a tree is a value that several jobs may read.
    std::shared_ptr<UnpackedArchive const> unpacked;

    // The path of an entry on disk.
    [[nodiscard]] fs::path place(SourceEntry const& entry) const { return single.empty() ? root / entry.path : single; }
};

// What happens to a directory that is alone at the top of an archive.
enum class TopDirectory { keep, strip };

// What of a tree becomes part of a release, and how.
struct TreeRules {
    Excludes excludes{};
    // Absolute targets of symlinks, sorted. Those of virtual environments' interpreters are allowed besides.
    std::vector<std::string> allowed_links{};
    bool operator==(TreeRules const&) const = default;
};

// Scans what the operator named: a directory (or mounted medium), a single file (a tree of that one file), or an
// archive, by its name (see has_archive_name()), which is unpacked into a temporary directory first. Leaves out what
// the rules exclude, and of a directory what is_of_publisher(). Fault::not_found for a missing path; Fault::refused for
// types, links, bits and attributes that no release can hold, all of them with path and what to do; Fault::usage for
// nothing to publish or a strip of a tree that is no archive.
[[nodiscard]] Result<SourceTree> open_source(fs::path const& path, TopDirectory top, TreeRules const& rules = {});

// Whether a path of a tree is left out.
using LeftOut = std::function<bool(std::string const& path)>;

// A directory tree as it was scanned.
struct ScannedDirectory {
    std::vector<SourceEntry> entries;       // sorted
    std::vector<std::string> interpreters;  // as in SourceTree
    std::vector<std::string> notes;         // what the user should know of it
};

// How a directory tree is scanned.
struct ScanRules {
    LeftOut const& left_out;
    std::vector<std::string> const& allowed_links;
    fs::path archive{};  // that the tree was unpacked from, for messages; empty: none
};

// Scans a directory tree and checks it by the rules for paths, links, bits and attributes.
[[nodiscard]] Result<ScannedDirectory> scan_directory(fs::path const& root, ScanRules const& rules);

}  // namespace lull::publisher
