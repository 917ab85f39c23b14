#include "publisher/builder.hpp"

#include <algorithm>
#include <set>

#include "schema/limits.hpp"

namespace lull::publisher {

namespace {

// Appends a run of bytes of a file.
Status append_piece(Buffer& bytes, fs::path const& path, store::Piece const& piece) {
    auto const fd = open_file(path, O_RDONLY | O_NONBLOCK);
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

// Puts a release together, step by step.
class Builder {
public:
    Builder(SourceTree const& tree, BuildRequest const& request, StatCache& cache, ReadingProgress const& progress)
        : tree_(tree), request_(request), cache_(cache), progress_(progress) {}

    Result<Release> build(SigningKey const& key) {
        if (auto status = learn_facts(); !status) return pass(std::move(status.error()));
        fill_entries();
        if (auto status = fill_segments(); !status) return pass(std::move(status.error()));
        if (auto status = validate(release_.manifest); !status) return pass(std::move(status.error()));
        if (auto status = sign(key); !status) return pass(std::move(status.error()));
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
            if (!known) {
                unknown.push_back({tree_.place(entry), entry.stamp});
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
        manifest.architecture =
            request_.architecture ? *request_.architecture : choose_architecture(facts_, native_architecture());
        manifest.start = request_.start;
        for (auto const& source : tree_.entries) {
            Entry entry;
            entry.path = source.path;
            entry.type = source.type;
            if (source.type == EntryType::symlink) entry.target = source.target;
            if (source.type == EntryType::file) fill_file(entry, source);
            manifest.entries.push_back(std::move(entry));
        }
    }

    void fill_file(Entry& entry, SourceEntry const& source) {
        auto const& facts = facts_[files_.size()];
        entry.executable = source.executable;
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

    Status sign(SigningKey const& key) {
        auto payload = encode(release_.manifest);
        if (Bytes(payload.size()) > limits::manifest_payload) {
            return fail(Fault::refused,
                        "cannot publish {}: its list of {} paths takes {}, and {} is the most; split it into several "
                        "pieces of software",
                        tree_.root.string(), release_.manifest.entries.size(), to_text(Bytes(payload.size())),
                        to_text(limits::manifest_payload));
        }
        release_.manifest_object = encode(seal(std::move(payload), domain::manifest, key));
        release_.manifest_digest = sha256(release_.manifest_object);
        return {};
    }

    SourceTree const& tree_;
    BuildRequest const& request_;
    StatCache& cache_;
    ReadingProgress const& progress_;
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
    return build;
}

Result<Release> build_release(SourceTree const& tree, BuildRequest const& request, SigningKey const& key,
                              StatCache& cache, ReadingProgress const& progress) {
    return Builder(tree, request, cache, progress).build(key);
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

void distribute(Distribution const& distribution, UpdateInfo& info) {
    info.groups = distribution.groups;
    info.urgency = distribution.urgency;
    info.policy = distribution.policy;
    info.activation = distribution.activation;
    info.rollout = distribution.rollout;
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
