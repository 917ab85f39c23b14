#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "publisher/tree/file_facts.hpp"
#include "publisher/tree/source.hpp"
#include "publisher/tree/stat_cache.hpp"
#include "schema/manifest.hpp"
#include "schema/update_info.hpp"
#include "store/segmenter.hpp"

namespace lull::publisher {

// The identity of the release that is built.
struct BuildRequest {
    SoftwareName software;
    VersionName version;
    std::optional<ArchitectureName> architecture;  // nothing: from the tree's ELF files
    std::vector<std::string> start;                // program and arguments; may be empty
    std::vector<std::string> allowed_links{};      // absolute targets of symlinks, sorted
    std::vector<std::string> strays{};             // patterns
    std::optional<std::uint32_t> data_mode{};
    bool operator==(BuildRequest const&) const = default;
};

// What building cost.
struct BuildReport {
    std::size_t files_read = 0;
    std::size_t files_known = 0;  // from the cache
    std::size_t segments_read = 0;
    std::size_t segments_known = 0;  // from the cache, or because the segment is one whole file
    Bytes bytes_read{};
};

// A build of a release, ready to be offered.
struct Release {
    Manifest manifest;
    Buffer manifest_object;  // the encoded, signed envelope
    Digest manifest_digest;  // of those bytes
    Digest contents;         // Build::contents: contents_digest() as published with this key
    store::SegmentPlan plan;
    std::vector<fs::path> files;                                     // parallel to the plan's source files
    std::unordered_map<Digest, std::uint32_t, DigestHash> segments;  // digest -> index of a segment with it
    BuildReport report;
    // Keeps the files of an archive while they are needed. shared_ptr because the tree has it too.
    std::shared_ptr<UnpackedArchive const> unpacked;

    [[nodiscard]] Build build() const;
};

// Reads what the cache does not know, cuts segments, and signs the manifest. The same tree, request and key give the
// same bytes. Remembers in `cache` but does not save it. Fault::usage for a start command that the tree cannot run;
// Fault::refused for a tree that no manifest can hold; Fault::failed if files change meanwhile.
[[nodiscard]] Result<Release> build_release(SourceTree const& tree, BuildRequest const& request, SigningKey const& key,
                                            StatCache& cache, ReadingProgress const& progress);

// A digest of everything in a manifest but its version and the times and holes of its files: two releases with the
// same have the same contents.
[[nodiscard]] Digest contents_digest(Manifest manifest);

// The plain bytes of a segment, read again and checked. Fault::failed if they differ from the manifest.
[[nodiscard]] Result<Buffer> read_segment(Release const& release, std::uint32_t index);

// Which nodes get a release, and how.
struct Distribution {
    std::vector<GroupName> groups;  // none: every node
    Urgency urgency = Urgency::normal;
    Policy policy = Policy::wait;
    std::optional<Activation> activation{};
    std::optional<Rollout> rollout{};
    std::vector<std::string> callable{};  // programs
    bool operator==(Distribution const&) const = default;
};

// That of a release.
[[nodiscard]] Distribution distribution_in(UpdateInfo const& info);
// Copies it into an update-info.
void distribute(Distribution const& distribution, UpdateInfo& info);

// The signed update-info of a release with this one build.
[[nodiscard]] Envelope seal_update_info(Release const& release, Distribution const& distribution, WallTime time,
                                        SigningKey const& key);

// This machine's architecture if any of these ELF machines is it; else the only one there is; else "any".
[[nodiscard]] ArchitectureName choose_architecture(std::vector<FileFacts> const& facts, ArchitectureName const& native);

}  // namespace lull::publisher
