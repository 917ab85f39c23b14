#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "schema/envelope.hpp"

namespace lull {

enum class EntryType : std::uint8_t { file, directory, symlink };
constexpr EntryType enum_last(EntryType) { return EntryType::symlink; }

// One path of a release. A file's contents begin at byte `offset` of segment number `segment` and run on through the
// following segments; several files may share bytes. Empty files have neither.
struct Entry {
    std::string path;                     // relative, '/' between components, no "." or ".."
    EntryType type = EntryType::file;
    bool executable = false;              // files only: mode 0755 instead of 0644; directories are 0755
    Bytes size{};                         // files only
    std::optional<Digest> digest;         // files only: SHA-256 of the contents
    std::optional<std::uint32_t> segment; // files with contents only
    std::optional<Bytes> offset;          // files with contents only
    std::optional<std::string> target;    // symlinks only: relative, stays inside the tree

    static void describe(auto& self, auto& visit) {
        visit("p", self.path);
        visit("t", self.type);
        visit("x", self.executable);
        visit("z", self.size);
        visit("d", self.digest);
        visit("g", self.segment);
        visit("o", self.offset);
        visit("l", self.target);
    }
    bool operator==(Entry const&) const = default;
};

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

    static void describe(auto& self, auto& visit) {
        visit("n", self.software);
        visit("v", self.version);
        visit("a", self.architecture);
        visit("e", self.entries);
        visit("g", self.segments);
        visit("r", self.start);
    }
    bool operator==(Manifest const&) const = default;

    [[nodiscard]] Bytes content_size() const;  // sum of the files' sizes
    [[nodiscard]] std::size_t file_count() const;
};

// Every rule of DESIGN.md section 7 and of the structs above: paths that stay inside, no duplicates, parents that exist
// and are directories, links that stay inside, sizes that fit the segments. Fault::refused with path and reason. Both
// ends call it.
[[nodiscard]] Status validate(Manifest const& manifest);

// Whether it is the manifest of this release, or of the older one that this release goes back to.
[[nodiscard]] bool belongs_to(Manifest const& manifest, SoftwareName const& software, VersionName const& version);

// The rules for one path, also used while scanning.
[[nodiscard]] Status validate_path(std::string_view path);

// The rules for a link at `path` that points to `target`.
[[nodiscard]] Status validate_link(std::string_view path, std::string_view target);

// Checks digest and signature of an encoded envelope, then decodes and validates: what everybody does with a manifest
// object. `digest` is the SHA-256 of the envelope's bytes, as update-info names it.
[[nodiscard]] Result<Manifest> open_manifest(View envelope, Digest const& digest, TrustedKeys const& trusted);

}  // namespace lull
