#include "publisher/release/builder.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <set>

#include "publisher/tree/no_links.hpp"
#include "schema/limits.hpp"

namespace lull::publisher {

namespace {

constexpr std::uint32_t any_execute = 0111;

// Appends a run of bytes of a file.
Status append_piece(Buffer& bytes, fs::path const& path, store::Piece const& piece) {
    auto const fd = open_without_links(path, O_RDONLY | O_NONBLOCK);
    if (!fd) return pass(fd.error());
    auto const before = bytes.size();
    bytes.resize(before + piece.length.count());
    return read_exactly(fd->get(), piece.offset.count(), std::span(bytes).subspan(before), path);
}

Result<Buffer> read_pieces(store::PlannedSegment const& planned, std::vector<fs::path> const& files) {
    LULL_INVARIANT(planned.size <= limits::segment);
    Buffer bytes;
    bytes.reserve(planned.size.count());
    for (auto const& piece : planned.pieces) {
        if (auto status = append_piece(bytes, files[piece.file], piece); !status)
            return pass(std::move(status.error()));
    }
    return bytes;
}

std::string shown_files(store::PlannedSegment const& planned, std::vector<fs::path> const& files) {
    auto const first = files[planned.pieces.front().file].string();
    if (planned.pieces.size() == 1) return first;
    return fmt::format("{} or one of the {} files after it", first, planned.pieces.size() - 1);
}

tl::unexpected<Error> changed(store::PlannedSegment const& planned, std::vector<fs::path> const& files) {
    return fail(Fault::failed, "{} changed while being published; publish again when nothing writes to it",
                shown_files(planned, files));
}

// What another key has published is not the same.
Digest published_contents(Manifest const& manifest, SigningKey const& key) {
    Sha256 hash;
    hash.update(contents_digest(manifest).view());
    hash.update(key.public_key());
    return hash.finish();
}

// The time in which files are published that are newer: SOURCE_DATE_EPOCH, as reproducible builds set it.
std::uint64_t latest_time() {
    char const* const text = std::getenv("SOURCE_DATE_EPOCH");
    std::uint64_t seconds = 0;
    if (text == nullptr) return last_modified;
    auto const [end, problem] = std::from_chars(text, text + std::strlen(text), seconds);
    return problem == std::errc() && *end == '\0' ? std::min(seconds, last_modified) : last_modified;
}

// Whole seconds: what Python and make compare; more would change with each build and cost each node bytes.
std::uint64_t seconds_of(std::int64_t nanoseconds, std::uint64_t latest) {
    constexpr std::int64_t second = 1'000'000'000;
    return nanoseconds < 0 ? 0 : std::min(static_cast<std::uint64_t>(nanoseconds / second), latest);
}

// Encodes and signs the manifest. Fault::refused if it is too large.
Status seal_manifest(Release& release, SigningKey const& key) {
    auto payload = encode(release.manifest);
    if (Bytes(payload.size()) > limits::manifest_payload) {
        return fail(Fault::refused,
                    "its list of {} paths takes {}, and {} is the most; split it into several pieces of software",
                    release.manifest.entries.size(), to_text(Bytes(payload.size())), to_text(limits::manifest_payload));
    }
    release.manifest_object = encode(seal(std::move(payload), domain_of(release.manifest), key));
    release.manifest_digest = sha256(release.manifest_object);
    release.contents = published_contents(release.manifest, key);
    return {};
}

// Puts a release together, step by step.
class Builder {
public:
    Builder(SourceTree const& tree, BuildRequest const& request, StatCache& cache, ReadingProgress const& progress)
        : tree_(tree),
          request_(request),
          cache_(cache),
          progress_(progress) {}

    Result<Release> build(SigningKey const& key) {
        if (auto status = learn_facts(); !status) return pass(std::move(status.error()));
        fill_entries();
        if (auto status = fill_segments(); !status) return pass(std::move(status.error()));
        if (auto status = validate(release_.manifest); !status) return pass(std::move(status.error()));
        if (auto const sealed = seal_manifest(release_, key); !sealed) {
            return fail(sealed.error().fault, "cannot publish {}: {}", tree_.root.string(), sealed.error().message);
        }
        release_.unpacked = tree_.unpacked;
        return std::move(release_);
    }

private:
    // The facts of every file, in the order of the entries: known or read.
    Status learn_facts() {
        std::vector<FileToRead> unknown;
        std::vector<std::size_t> places;
        for (auto const& entry : tree_.entries) {
            if (entry.type != EntryType::file) continue;
            auto known = cache_.find(entry.path, entry.stamp);
            if (known && entry.sparse && !known->data) known.reset();
            if (!known) {
                unknown.push_back({tree_.place(entry), entry.stamp, entry.sparse});
                places.push_back(facts_.size());
                release_.report.bytes_read += entry.stamp.size;
            }
            facts_.push_back(std::move(known).value_or(FileFacts{}));
        }
        auto read = read_all_facts(unknown, progress_);
        if (!read) return pass(std::move(read.error()));
        for (std::size_t i = 0; i < places.size(); ++i) facts_[places[i]] = std::move((*read)[i]);
        release_.report.files_read = unknown.size();
        release_.report.files_known = facts_.size() - unknown.size();
        return {};
    }

    // Everything of the manifest but the segments.
    void fill_entries() {
        auto& manifest = release_.manifest;
        manifest.software = request_.software;
        manifest.version = request_.version;
        manifest.architecture = request_.architecture ? *request_.architecture
                                                      : choose_architecture(facts_, native_architecture());
        manifest.start = request_.start;
        manifest.format = static_cast<std::uint32_t>(ManifestFormat::second);
        std::set<std::string> links(request_.allowed_links.begin(), request_.allowed_links.end());
        links.insert(tree_.interpreters.begin(), tree_.interpreters.end());
        if (!links.empty()) manifest.allowed_links.emplace(links.begin(), links.end());
        if (!request_.strays.empty()) manifest.strays = request_.strays;
        manifest.data_mode = request_.data_mode;
        for (auto const& source : tree_.entries) {
            Entry entry;
            entry.path = source.path;
            entry.type = source.type;
            if (source.type == EntryType::symlink) {
                entry.target = source.target;
            } else {
                entry.mode = source.mode;
            }
            if (source.type == EntryType::file) fill_file(entry, source);
            manifest.entries.push_back(std::move(entry));
        }
    }

    void fill_file(Entry& entry, SourceEntry const& source) {
        auto const& facts = facts_[files_.size()];
        entry.executable = (source.mode & any_execute) != 0;
        entry.modified = seconds_of(source.stamp.modified, latest_);
        if (source.sparse) entry.data = facts.data;
        entry.size = source.stamp.size;
        entry.digest = facts.digest;
        cache_.remember(source.path, source.stamp, facts, tree_.scanned);
        files_.push_back({release_.manifest.entries.size(), source.stamp.size, facts.digest});
        stamps_.push_back(source.stamp);
        release_.files.push_back(tree_.place(source));
    }

    Status fill_segments() {
        release_.plan = store::plan_segments(files_);
        for (auto const& planned : release_.plan.segments) {
            if (progress_.stop().stop_requested())
                return fail(Fault::cancelled, "reading {} was stopped", tree_.root.string());
            auto const digest = segment_digest(planned);
            if (!digest) return pass(digest.error());
            release_.segments.emplace(*digest, static_cast<std::uint32_t>(release_.manifest.segments.size()));
            release_.manifest.segments.push_back({*digest, planned.size});
        }
        for (std::size_t i = 0; i < files_.size(); ++i) {
            if (files_[i].size.zero()) continue;
            auto& entry = release_.manifest.entries[files_[i].entry];
            entry.segment = release_.plan.starts[i].segment;
            entry.offset = release_.plan.starts[i].offset;
        }
        return {};
    }

    Result<Digest> segment_digest(store::PlannedSegment const& planned) {
        auto const& first = planned.pieces.front();
        bool const whole_file = planned.pieces.size() == 1 && first.length == files_[first.file].size;
        auto const pieces = name_pieces(planned);
        auto const known = whole_file ? std::optional(files_[first.file].digest) : cache_.find_segment(pieces);
        ++(known ? release_.report.segments_known : release_.report.segments_read);
        auto const digest = known ? Result<Digest>(*known) : read_digest(planned);
        if (digest && !whole_file) cache_.remember_segment(pieces, *digest);
        return digest;
    }

    // The contents are the same whenever the digests of the files and the runs of bytes are.
    Digest name_pieces(store::PlannedSegment const& planned) const {
        Sha256 hash;
        for (auto const& piece : planned.pieces) {
            hash.update(files_[piece.file].digest.view());
            hash.update(as_view(fmt::format("{}+{};", piece.offset.count(), piece.length.count())));
        }
        return hash.finish();
    }

    // The files were read a moment ago, so this comes from the page cache. What it finds must still fit the files'
    // digests.
    Result<Digest> read_digest(store::PlannedSegment const& planned) {
        auto const bytes = read_pieces(planned, release_.files);
        if (!bytes)
            return bytes.error().fault == Fault::damaged ? changed(planned, release_.files) : pass(bytes.error());
        std::size_t at = 0;
        for (auto const& piece : planned.pieces) {
            if (!unchanged(piece, View(*bytes).subspan(at, piece.length.count())))
                return changed(planned, release_.files);
            at += piece.length.count();
        }
        release_.report.bytes_read += planned.size;
        return sha256(*bytes);
    }

    bool unchanged(store::Piece const& piece, View run) const {
        auto const& file = files_[piece.file];
        if (piece.length == file.size) return sha256(run) == file.digest;
        struct stat status {};
        return stat(release_.files[piece.file].c_str(), &status) == 0 && stamp_of(status) == stamps_[piece.file];
    }

    SourceTree const& tree_;
    BuildRequest const& request_;
    StatCache& cache_;
    ReadingProgress const& progress_;
    std::uint64_t latest_ = latest_time();
    Release release_;
    std::vector<FileFacts> facts_;          // of the files, in the order of the entries
    std::vector<store::SourceFile> files_;  // the same files
    std::vector<FileStamp> stamps_;         // the same files
};

}  // namespace

Build Release::build() const {
    Build build;
    build.architecture = manifest.architecture;
    build.manifest = manifest_digest;
    build.manifest_size = Bytes(manifest_object.size());
    build.size = manifest.content_size();
    build.files = manifest.file_count();
    build.contents = contents;
    return build;
}

Result<Release> build_release(SourceTree const& tree, BuildRequest const& request, SigningKey const& key,
                              StatCache& cache, ReadingProgress const& progress) {
    return Builder(tree, request, cache, progress).build(key);
}

Digest contents_digest(Manifest manifest) {
    manifest.version = {};
    for (auto& entry : manifest.entries) {
        entry.modified.reset();
        entry.data.reset();
    }
    return sha256(encode(manifest));
}

Result<Buffer> read_segment(Release const& release, std::uint32_t index) {
    auto const& planned = release.plan.segments[index];
    auto bytes = read_pieces(planned, release.files);
    if (!bytes) {
        auto const fault = bytes.error().fault;
        return fault == Fault::damaged || fault == Fault::not_found ? changed(planned, release.files)
                                                                    : pass(bytes.error());
    }
    if (sha256(*bytes) != release.manifest.segments[index].digest) return changed(planned, release.files);
    return bytes;
}

Distribution distribution_in(UpdateInfo const& info) {
    return {info.groups,     info.urgency, info.policy,
            info.activation, info.rollout, info.callable.value_or(std::vector<std::string>())};
}

void distribute(Distribution const& distribution, UpdateInfo& info) {
    info.groups = distribution.groups;
    info.urgency = distribution.urgency;
    info.policy = distribution.policy;
    info.activation = distribution.activation;
    info.rollout = distribution.rollout;
    if (!distribution.callable.empty()) info.callable = distribution.callable;
}

Envelope seal_update_info(Release const& release, Distribution const& distribution, WallTime time,
                          SigningKey const& key) {
    UpdateInfo info;
    info.software = release.manifest.software;
    info.version = release.manifest.version;
    info.time = time;
    info.builds = {release.build()};
    distribute(distribution, info);
    return seal(encode(info), domain::update_info, key);
}

ArchitectureName choose_architecture(std::vector<FileFacts> const& facts, ArchitectureName const& native) {
    std::set<std::string> machines;
    for (auto const& file : facts) {
        if (!file.machine.empty()) machines.insert(file.machine);
    }
    bool const one = machines.size() == 1;
    auto const chosen = machines.contains(native.text()) ? native.text() : one ? *machines.begin() : "any";
    auto name = ArchitectureName::parse(chosen);
    LULL_INVARIANT(name.has_value());
    return std::move(*name);
}

}  // namespace lull::publisher
