#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "schema/envelope.hpp"

namespace lull {

enum class EntryType : std::uint8_t { file, directory, symlink };
constexpr EntryType enum_last(EntryType) { return EntryType::symlink; }

// Of manifests. Format 1 has neither modes nor times; its manifests say nothing about their format.
enum class ManifestFormat : std::uint8_t { first = 1, second = 2 };

// One path of a release. A file's contents begin at byte `offset` of segment number `segment` and run on through the
// following segments; several files may share bytes. Empty files have neither.
struct Entry {
    std::string path;  // relative, '/' between components, no "." or ".."
    EntryType type = EntryType::file;
    bool executable = false;               // files only: the mode has an execute bit
    Bytes size{};                          // files only
    std::optional<Digest> digest;          // files only: SHA-256 of the contents
    std::optional<std::uint32_t> segment;  // files with contents only
    std::optional<Bytes> offset;           // files with contents only
    std::optional<std::string> target;     // symlinks only: relative, stays inside the tree, or one of allowed_links
    // Format 2 only:
    std::optional<std::uint32_t> mode{};      // files and directories: the nine permission bits
    std::optional<std::uint64_t> modified{};  // files only: seconds since 1970-01-01
    std::optional<Bytes> data{};              // sparse files only: what their 4 KiB blocks hold that are not all zero

    static void describe(auto& self, auto& visit) {
        visit("p", self.path);
        visit("t", self.type);
        visit("x", self.executable);
        visit("z", self.size);
        visit("d", self.digest);
        visit("g", self.segment);
        visit("o", self.offset);
        visit("l", self.target);
        visit("m", self.mode);
        visit("u", self.modified);
        visit("h", self.data);
    }
    bool operator==(Entry const&) const = default;
};

// The unit in which a sparse file keeps or saves room.
inline constexpr Bytes sparse_block = KiB(4);
// Entry::modified is at most this: what the header of a Python .pyc file can hold.
inline constexpr std::uint64_t last_modified = 0xffff'ffff;

// A content-addressed piece of file contents, at most limits::segment long.
struct Segment {
    Digest digest;
    Bytes size{};
    static void describe(auto& self, auto& visit) {
        visit("d", self.digest);
        visit("z", self.size);
    }
    bool operator==(Segment const&) const = default;
};

// The complete tree of one build of a release. Entries are sorted by path, parents before children.
struct Manifest {
    SoftwareName software;
    VersionName version;
    ArchitectureName architecture;
    std::vector<Entry> entries;
    std::vector<Segment> segments;
    std::vector<std::string> start;  // what `lull-node run` starts: program (path in the tree) and leading arguments
    // Format 2 only; `format` is absent in format 1:
    std::optional<std::uint32_t> format{};
    std::optional<std::vector<std::string>> allowed_links{};  // absolute paths that symlinks may point to, sorted
    std::optional<std::vector<std::string>> strays{};         // patterns of paths that the node leaves alone (Strays)
    std::optional<std::uint32_t> data_mode{};                 // of the data directory that a node makes; none: 0700

    static void describe(auto& self, auto& visit) {
        visit("n", self.software);
        visit("v", self.version);
        visit("a", self.architecture);
        visit("e", self.entries);
        visit("g", self.segments);
        visit("r", self.start);
        visit("f", self.format);
        visit("k", self.allowed_links);
        visit("s", self.strays);
        visit("w", self.data_mode);
    }
    bool operator==(Manifest const&) const = default;

    [[nodiscard]] Bytes content_size() const;  // sum of the files' sizes
    [[nodiscard]] std::size_t file_count() const;
};

// The mode of a file or directory: in format 1 files are 0644 or 0755, directories 0755.
[[nodiscard]] std::uint32_t mode_of(Entry const& entry);

// The mode of the data directory that a node makes for this release.
[[nodiscard]] std::uint32_t data_mode_of(Manifest const& manifest);

// What a manifest of this format is signed as (schema/envelope.hpp).
[[nodiscard]] std::string_view domain_of(Manifest const& manifest);

// Every rule of schema/TRUST.md section 3 and of the structs above: paths that stay inside, no duplicates, parents that
// exist and are directories, links that stay inside, sizes that fit the segments. Fault::refused with path and reason.
// Broker and node call it.
[[nodiscard]] Status validate(Manifest const& manifest);

// Whether it is the manifest of this release, or of the older one that this release goes back to.
[[nodiscard]] bool belongs_to(Manifest const& manifest, SoftwareName const& software, VersionName const& version);

// The rules for one path, also used while scanning.
[[nodiscard]] Status validate_path(std::string_view path);

// The rules for a link at `path` that points to `target`, inside the tree.
[[nodiscard]] Status validate_link(std::string_view path, std::string_view target);

// The rules for a path of Manifest::allowed_links: absolute, without empty components, "." and "..".
[[nodiscard]] Status validate_allowed_link(std::string_view target);

// The rules for Manifest::data_mode.
[[nodiscard]] Status validate_data_mode(std::uint32_t mode);

// Decodes and validates the payload of a manifest's envelope; the signature is not checked.
[[nodiscard]] Result<Manifest> decode_manifest(View payload);

// Checks digest and signature of an encoded envelope, then decodes and validates: what everybody does with a manifest
// object. `digest` is the SHA-256 of the envelope's bytes, as update-info names it.
[[nodiscard]] Result<Manifest> open_manifest(View envelope, Digest const& digest, TrustedKeys const& trusted);

}  // namespace lull
