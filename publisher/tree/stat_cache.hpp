#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "publisher/tree/file_facts.hpp"

namespace lull::publisher {

// Which entries of a cache count: those of files with an unchanged stamp, or none, so that every file is read.
enum class CacheBelief { unchanged_files, nothing };

// Facts of the files of one source directory from its last publication, so that only changed files are read
// again. An entry counts while the file's stamp is exactly the one that was read. Files that were written less than two
// seconds before the scan are not remembered: a later change could leave the very same stamp ("racily clean").
class StatCache {
public:
    // Empty, and never saved.
    StatCache() = default;

    // Reads what an earlier run left in the cache directory for this source. A missing file is an empty cache, and so
    // is a damaged one, which also gives a warning.
    [[nodiscard]] static StatCache load(fs::path const& cache_directory, fs::path const& source, CacheBelief belief);

    // Why the file was not used; empty if all was well.
    [[nodiscard]] std::string const& warning() const { return warning_; }

    [[nodiscard]] std::optional<FileFacts> find(std::string const& path, FileStamp const& stamp) const;
    [[nodiscard]] std::optional<Digest> find_segment(Digest const& pieces) const;

    // Adds an entry for the next time. `scanned`: when the scan began, ns since 1970-01-01.
    void remember(std::string const& path, FileStamp const& stamp, FileFacts const& facts, std::int64_t scanned);
    void remember_segment(Digest const& pieces, Digest const& segment);

    // Writes what was remembered since load(), and nothing else, so that files which are gone are forgotten.
    [[nodiscard]] Status save() const;

private:
    struct File {
        FileStamp stamp;
        FileFacts facts;
    };

    void read(Buffer const& bytes);

    fs::path file_;       // empty: never saved
    std::string source_;  // the directory, stored in the file as well
    std::string warning_;
    std::unordered_map<std::string, File> files_;
    std::unordered_map<Digest, Digest, DigestHash> segments_;
    std::unordered_map<std::string, File> next_files_;
    std::unordered_map<Digest, Digest, DigestHash> next_segments_;
};

}  // namespace lull::publisher
