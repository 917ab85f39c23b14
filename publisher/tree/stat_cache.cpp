#include "publisher/tree/stat_cache.hpp"

#include <algorithm>
#include <chrono>

#include "schema/codec.hpp"

namespace lull::publisher {

namespace {

constexpr Bytes most_file = MiB(512);
constexpr std::uint32_t format = 1;
constexpr std::int64_t racy = 2'000'000'000;  // ns
constexpr auto abandoned_after = std::chrono::hours(1);
constexpr std::size_t most_looked_at = 10'000;  // files of the cache directory

struct CachedFile {
    std::string path;
    FileStamp stamp;
    FileFacts facts;
    static void describe(auto& self, auto& visit) {
        visit("p", self.path);
        visit("s", self.stamp);
        visit("f", self.facts);
    }
};

struct CachedSegment {
    Digest pieces;
    Digest segment;
    static void describe(auto& self, auto& visit) {
        visit("p", self.pieces);
        visit("s", self.segment);
    }
};

// The file: SHA-256 of what follows, then this as MessagePack.
struct CacheFile {
    std::uint32_t version = format;
    std::string source;
    std::vector<CachedFile> files;
    std::vector<CachedSegment> segments;
    static void describe(auto& self, auto& visit) {
        visit("v", self.version);
        visit("r", self.source);
        visit("f", self.files);
        visit("g", self.segments);
    }
};

// Temporary files of write_file_durably() that killed processes left. A running process writes one in seconds.
void remove_abandoned(fs::path const& cache_directory) {
    std::error_code problem;
    std::size_t looked_at = 0;
    for (fs::directory_iterator entry(cache_directory, problem), end; !problem && entry != end;
         entry.increment(problem)) {
        if (++looked_at > most_looked_at) return;
        if (!entry->path().filename().string().starts_with(".lull-")) continue;
        std::error_code gone;
        auto const written = fs::last_write_time(entry->path(), gone);
        if (!gone && fs::file_time_type::clock::now() - written >= abandoned_after) fs::remove(entry->path(), gone);
    }
}

Result<CacheFile> decode_file(View bytes) {
    if (bytes.size() < Digest::size) return fail(Fault::damaged, "it is too short");
    auto const body = bytes.subspan(Digest::size);
    auto const named = sha256(body);
    if (!std::equal(named.view().begin(), named.view().end(), bytes.begin()))
        return fail(Fault::damaged, "its checksum is wrong");
    auto file = decode<CacheFile>(body, most_file);
    if (file && file->version != format)
        return fail(Fault::damaged, "it is of format {}, not {}", file->version, format);
    return file;
}

}  // namespace

StatCache StatCache::load(fs::path const& cache_directory, fs::path const& source, CacheBelief belief) {
    StatCache cache;
    cache.source_ = source.string();
    cache.file_ = cache_directory / fmt::format("tree-{}", sha256(as_view(cache.source_)).hex().substr(0, 32));
    if (belief == CacheBelief::nothing) return cache;
    auto const bytes = read_file(cache.file_, most_file);
    if (bytes) {
        cache.read(*bytes);
    } else if (bytes.error().fault != Fault::not_found) {
        cache.warning_ = fmt::format("{}; every file is read", bytes.error().message);
    }
    return cache;
}

void StatCache::read(Buffer const& bytes) {
    auto file = decode_file(bytes);
    if (!file) {
        warning_ = fmt::format("cannot use {}: {}; every file is read, and the cache is made anew", file_.string(),
                               file.error().message);
        return;
    }
    if (file->source != source_) return;
    files_.reserve(file->files.size());
    for (auto& known : file->files) files_.emplace(std::move(known.path), File{known.stamp, std::move(known.facts)});
    for (auto const& known : file->segments) segments_.emplace(known.pieces, known.segment);
}

std::optional<FileFacts> StatCache::find(std::string const& path, FileStamp const& stamp) const {
    auto const found = files_.find(path);
    if (found == files_.end() || found->second.stamp != stamp) return std::nullopt;
    return found->second.facts;
}

std::optional<Digest> StatCache::find_segment(Digest const& pieces) const {
    auto const found = segments_.find(pieces);
    return found == segments_.end() ? std::nullopt : std::optional(found->second);
}

void StatCache::remember(std::string const& path, FileStamp const& stamp, FileFacts const& facts,
                         std::int64_t scanned) {
    if (std::max(stamp.modified, stamp.changed) > scanned - racy) return;
    next_files_.insert_or_assign(path, File{stamp, facts});
}

void StatCache::remember_segment(Digest const& pieces, Digest const& segment) {
    next_segments_.insert_or_assign(pieces, segment);
}

Status StatCache::save() const {
    if (file_.empty()) return {};
    CacheFile file;
    file.source = source_;
    file.files.reserve(next_files_.size());
    for (auto const& [path, known] : next_files_) file.files.push_back({path, known.stamp, known.facts});
    for (auto const& [pieces, segment] : next_segments_) file.segments.push_back({pieces, segment});
    auto const body = encode(file);
    auto const digest = sha256(body);
    auto bytes = to_buffer(digest.view());
    bytes.insert(bytes.end(), body.begin(), body.end());
    if (auto status = make_directories(file_.parent_path(), 0700); !status) return status;
    remove_abandoned(file_.parent_path());
    return write_file_durably(file_, bytes, 0600);
}

}  // namespace lull::publisher
