#include "subscriber/install/stager.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <unordered_map>

#include "store/compression.hpp"
#include "subscriber/install/tree_room.hpp"
#include "subscriber/tree/file_copier.hpp"
#include "subscriber/tree/sparse_write.hpp"
#include "subscriber/tree/tree_check.hpp"
#include "subscriber/tree/writeback.hpp"

namespace lull::subscriber {

namespace {

constexpr std::size_t most_synced_alone = 32;  // paths; an fsync(2) takes some milliseconds each

// The release's own files can be seen by everybody on the node; the umask must not matter.
Status set_mode(int file, mode_t mode, fs::path const& path) {
    if (fchmod(file, mode) != 0) return fail_errno("set the mode of", path);
    return {};
}

// Several segments of a manifest may have the same contents.
std::vector<Digest> each_once(std::vector<Digest> digests) {
    std::sort(digests.begin(), digests.end());
    digests.erase(std::unique(digests.begin(), digests.end()), digests.end());
    return digests;
}

// One attempt to build one tree.
class Staging {
public:
    Staging(StageJob const& job, Layout const& layout, ObjectFiles& objects)
        : job_(job),
          manifest_(job.manifest),
          layout_(layout),
          objects_(objects),
          directory_(layout.staging(job.release)) {}

    // Everything up to the complete, durable tree in the staging directory.
    Status build(Bytes reserve) {
        if (auto status = check_space(reserve); !status) return status;
        if (auto status = open_staging(); !status) return status;
        if (auto status = make_entries(EntryType::directory); !status) return status;
        if (auto status = make_files(); !status) return status;
        if (auto status = check_objects_known(); !status) return status;
        if (auto status = unpack_segments(); !status) return status;
        if (auto status = make_entries(EntryType::symlink); !status) return status;
        if (auto status = set_attributes(); !status) return status;
        if (auto status = check_against_manifest(); !status) return status;
        return make_durable();
    }

    [[nodiscard]] StageReport const& report() const { return report_; }
    [[nodiscard]] StageFailure failure(Error error) && {
        return {std::move(error), each_once(std::move(damaged_)), each_once(std::move(missing_))};
    }

private:
    [[nodiscard]] fs::path full(Entry const& entry) const { return directory_ / entry.path; }

    tl::unexpected<Error> too_little_room() const {
        auto const free = free_space(layout_.root());
        return fail(Fault::no_space,
                    "cannot stage {} {} in {}: it needs {} and {} inodes; {} and {} inodes are free, of which {} and "
                    "{} inodes stay in reserve; make room there",
                    manifest_.software.text(), manifest_.version.text(), directory_.parent_path().string(),
                    to_text(needed_.bytes), needed_.inodes, to_text(free ? free->bytes : Bytes(0)),
                    free ? free->inodes : 0, to_text(reserve_), inodes_kept);
    }

    Status check_space(Bytes reserve) {
        auto const free = free_space(layout_.versions(job_.release.software));
        if (!free) return pass(free.error());
        needed_ = room_of_tree(manifest_, Bytes(job_.manifest_envelope.size()));
        reserve_ = reserve;
        bool const enough = free->bytes >= needed_.bytes + reserve && free->inodes >= needed_.inodes + inodes_kept;
        return enough ? Status() : too_little_room();
    }

    // Until the modes are set nobody else gets in.
    Status open_staging() {
        if (mkdir(directory_.c_str(), 0700) != 0) return fail_errno("make the directory", directory_);
        auto handle = open_file(directory_, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (!handle) return pass(handle.error());
        handle_ = *std::move(handle);
        writeback_.emplace(handle_.get(), directory_);
        copier_.emplace(*writeback_, job_.step);
        return set_mode(handle_.get(), 0700, directory_);
    }

    [[nodiscard]] Result<FileDescriptor> open_in_staging(Entry const& entry, int flags) const {
        return open_beneath(handle_.get(), entry.path, flags | O_NOFOLLOW, 0600);
    }

    Status make_entries(EntryType type) {
        for (auto const& entry : manifest_.entries) {
            if (entry.type != type) continue;
            if (auto status = make_directory_or_link(entry); !status) return status;
        }
        return {};
    }

    // mkdirat and symlinkat have no RESOLVE_BENEATH: the parent is opened with it, and the last component is made
    // in there.
    Status make_directory_or_link(Entry const& entry) {
        auto const path = fs::path(entry.path);
        auto const parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
        auto const handle = open_beneath(handle_.get(), parent, O_RDONLY | O_DIRECTORY);
        if (!handle) return pass(handle.error());
        auto const name = path.filename();
        if (entry.type == EntryType::symlink) {
            if (symlinkat(entry.target->c_str(), handle->get(), name.c_str()) == 0) return {};
            return fail_errno("make the link", full(entry));
        }
        if (mkdirat(handle->get(), name.c_str(), 0700) != 0) return fail_errno("make the directory", full(entry));
        return {};
    }

    // Modes of directories, the inner ones first, and what segments have filled. Writing would need the owner's right
    // to write, which a mode may not give, and would change the times.
    Status set_attributes() {
        for (auto const index : to_unpack_) {
            auto const& entry = manifest_.entries[index];
            auto const file = open_in_staging(entry, O_RDONLY);
            if (!file) return pass(file.error());
            if (auto status = finish(file->get(), entry); !status) return status;
        }
        for (auto entry = manifest_.entries.rbegin(); entry != manifest_.entries.rend(); ++entry) {
            if (entry->type != EntryType::directory) continue;
            auto const made = open_in_staging(*entry, O_RDONLY | O_DIRECTORY);
            if (!made) return pass(made.error());
            if (auto status = set_mode(made->get(), wanted_mode(*entry), full(*entry)); !status) return status;
        }
        return set_mode(handle_.get(), 0755, directory_);
    }

    // Mode and time of a file whose contents are there.
    Status finish(int file, Entry const& entry) const {
        if (auto status = set_mode(file, wanted_mode(entry), full(entry)); !status) return status;
        return set_time(file, entry, full(entry));
    }

    // Every file, complete where the base has its contents. A base that cannot be used is no
    // failure: segments take its place.
    Status make_files() {
        auto const provided = files_of_base();
        for (std::size_t index = 0; index < manifest_.entries.size(); ++index) {
            auto const& entry = manifest_.entries[index];
            if (entry.type != EntryType::file) continue;
            auto const found = entry.size.zero() ? provided.end() : provided.find(*entry.digest);
            auto const made = make_file(entry, found == provided.end() ? nullptr : found->second);
            if (!made) return pass(made.error());
            if (!*made) to_unpack_.push_back(index);
            if (auto going_on = step(Bytes(), entry); !going_on) return going_on;
        }
        return {};
    }

    using FilesByDigest = std::unordered_map<Digest, Entry const*, DigestHash>;
    [[nodiscard]] FilesByDigest files_of_base() const {
        FilesByDigest provided;
        if (job_.base == nullptr) return provided;
        auto const& entries = job_.base->manifest().entries;
        provided.reserve(entries.size());
        for (auto const& entry : entries) {
            if (entry.type == EntryType::file && !entry.size.zero()) provided.emplace(*entry.digest, &entry);
        }
        return provided;
    }

    // False if its contents are still to come from segments; then its blocks are reserved. `equal` is the file of the
    // base that should have the same contents, or null.
    [[nodiscard]] Result<bool> make_file(Entry const& entry, Entry const* equal) {
        auto const file = open_in_staging(entry, O_RDWR | O_CREAT | O_EXCL);
        if (!file) return pass(file.error());
        ++report_.files;
        bool complete = entry.size.zero();
        if (!complete && equal != nullptr) {
            auto const copied = copy_equal(*equal, entry, file->get());
            if (!copied) return copied;
            complete = *copied;
        }
        auto const status = complete ? finish(file->get(), entry) : reserve_blocks(file->get(), entry);
        if (!status) return pass(status.error());
        return complete;
    }

    Status reserve_blocks(int file, Entry const& entry) const {
        if (entry.data) return make_hole(file, entry, full(entry));
        int result = 0;
        do {
            result = fallocate(file, 0, 0, static_cast<off_t>(entry.size.count()));
        } while (result != 0 && errno == EINTR);
        // Where the file system cannot reserve, writing finds out.
        if (result == 0 || errno == EOPNOTSUPP || errno == ENOSYS) return {};
        if (errno == ENOSPC || errno == EDQUOT) return too_little_room();
        return fail_errno("reserve the blocks of", full(entry));
    }

    // False if the base's file is not what its manifest says.
    [[nodiscard]] Result<bool> copy_equal(Entry const& from, Entry const& entry, int target) {
        auto const source = job_.base->open(from);
        if (!source || from.size != entry.size) return false;
        auto const digest = copier_->copy(source->get(), target, entry, full(entry));
        if (digest && *digest == entry.digest) {
            report_.cloned += entry.size;
            return true;
        }
        if (!digest && digest.error().fault == Fault::no_space) return too_little_room();
        if (!digest && digest.error().fault == Fault::cancelled) return pass(digest.error());
        if (ftruncate(target, 0) != 0) return fail_errno("empty", full(entry));
        return false;
    }

    // Before the long work: is every segment here?
    Status check_objects_known() {
        SegmentRuns segments(manifest_, to_unpack_);
        while (auto const index = segments.next()) {
            auto const& digest = manifest_.segments[*index].digest;
            if (!job_.objects.contains(digest) && delta_for(*index) == nullptr) missing_.push_back(digest);
        }
        if (missing_.empty()) return {};
        return fail(Fault::not_found, "cannot stage {} {}: {} of its segments have not been fetched, the first is {}",
                    manifest_.software.text(), manifest_.version.text(), missing_.size(), missing_.front().hex());
    }

    // Goes on after a damaged object, so that all of them are known at the end.
    Status unpack_segments() {
        SegmentRuns segments(manifest_, to_unpack_);
        Status first_problem;
        while (auto const index = segments.next()) {
            auto const& segment = manifest_.segments[*index];
            auto const* const delta = delta_for(*index);
            auto const memory = memory_for(segment, delta);
            auto const plain = delta == nullptr ? read_segment(segment) : apply(*delta, segment);
            if (!plain) {
                if (damaged_.empty() && missing_.empty()) return pass(plain.error());
                if (first_problem) first_problem = pass(plain.error());
                continue;
            }
            for (auto const& run : segments.runs()) {
                if (auto status = write_run(run, *plain); !status) return status;
            }
            if (job_.step && !job_.step(segment.size)) return stopped_at(directory_);
        }
        return first_problem;
    }

    [[nodiscard]] std::optional<MemoryBudget::Share> memory_for(Segment const& segment, Step const* delta) const {
        if (job_.memory == nullptr) return std::nullopt;
        auto const applying = delta == nullptr ? Result<Bytes>(segment.size + segment.size)
                                               : job_.patched->memory_for(*delta, segment);
        return job_.memory->take(applying.value_or(segment.size));
    }

    // A segment that is here as a whole comes first: its delta may have turned out to be of no use.
    [[nodiscard]] Step const* delta_for(std::uint32_t segment) const {
        if (job_.patched == nullptr || job_.objects.contains(manifest_.segments[segment].digest)) return nullptr;
        auto const* const step = job_.patched->step_for(segment);
        bool const usable = step != nullptr && is_delta(*step, manifest_) &&
                            (step->frame || job_.objects.contains(*step->object));
        return usable ? step : nullptr;
    }

    [[nodiscard]] Result<Buffer> apply(Step const& step, Segment const& segment) {
        auto plain = job_.patched->read(step, segment, objects_);
        if (!plain) missing_.push_back(segment.digest);
        return plain;
    }

    [[nodiscard]] Result<Buffer> read_segment(Segment const& segment) {
        auto const& shape = job_.objects.at(segment.digest);
        auto const stored = objects_.read(segment.digest, limits::stored_object);
        if (!stored) {
            if (stored.error().fault == Fault::not_found) missing_.push_back(segment.digest);
            if (stored.error().fault == Fault::damaged) damaged_.push_back(segment.digest);
            return pass(stored.error());
        }
        if (shape.object != segment.digest || shape.plain != segment.size) {
            damaged_.push_back(segment.digest);
            return fail(Fault::damaged, "object {} does not have the size of its segment", segment.digest.hex());
        }
        auto plain = store::unpack_object(shape, *stored, limits::segment);
        if (!plain && plain.error().fault == Fault::damaged) damaged_.push_back(segment.digest);
        return plain;
    }

    Status write_run(SegmentRun const& run, Buffer const& plain) {
        auto const& entry = manifest_.entries[run.entry];
        auto const file = open_in_staging(entry, O_WRONLY);
        if (!file) return pass(file.error());
        auto const bytes = View(plain).subspan(run.in_segment.count(), run.length.count());
        report_.unpacked += run.length;
        if (auto written = write_contents(file->get(), entry, run.in_file, bytes, full(entry)); !written)
            return written;
        return writeback_->wrote(file->get(), run.in_file, run.length);
    }

    Status check_against_manifest() const {
        auto const differences = compare_tree(directory_, manifest_, job_.step);
        if (!differences) return pass(differences.error());
        if (differences->empty()) return {};
        return fail(Fault::damaged,
                    "cannot stage {} {}: what its objects give is not what its manifest says, in {} places; the first "
                    "is {}",
                    manifest_.software.text(), manifest_.version.text(), differences->size(),
                    to_text(differences->front()));
    }

    // A large tree at once. A small one path by path, so that it does not wait for what others have written on this
    // file system: files, then directories with the inner ones first, then the tree itself.
    Status make_durable() {
        if (manifest_.entries.size() > most_synced_alone && syncfs_reports_errors()) return writeback_->sync_all();
        for (auto const type : {EntryType::file, EntryType::directory}) {
            for (auto entry = manifest_.entries.rbegin(); entry != manifest_.entries.rend(); ++entry) {
                if (entry->type != type) continue;
                auto const file = open_in_staging(*entry, O_RDONLY);
                if (!file) return pass(file.error());
                sync_file_or_die(file->get(), full(*entry));
            }
        }
        sync_file_or_die(handle_.get(), directory_);
        return {};
    }

    [[nodiscard]] Status step(Bytes done, Entry const& entry) const {
        return !job_.step || job_.step(done) ? Status() : stopped_at(full(entry));
    }

    StageJob const& job_;
    Manifest const& manifest_;
    Layout const& layout_;
    ObjectFiles& objects_;
    fs::path directory_;
    FileDescriptor handle_;               // of the staging directory
    std::optional<Writeback> writeback_;  // of that directory
    std::optional<FileCopier> copier_;
    std::vector<std::size_t> to_unpack_;  // indices of files that segments have to provide
    Room needed_;
    Bytes reserve_{};
    StageReport report_;
    std::vector<Digest> damaged_;
    std::vector<Digest> missing_;
};

GoingOn going_on(StageJob const& job) {
    return [&job] { return !job.step || job.step(Bytes()); };
}

Status check_job(StageJob const& job) {
    if (!belongs_to(job.manifest, job.release.software, job.release.version)) {
        return fail(Fault::refused, "cannot stage {} {}: the manifest is that of {} {}", job.release.software.text(),
                    job.release.version.text(), job.manifest.software.text(), job.manifest.version.text());
    }
    return validate(job.manifest);
}

// Manifest and lock file, both durable. The lock file stays the same one if there is one: somebody may have it locked.
Status write_companions(StageJob const& job, Layout const& layout) {
    if (auto status = save_manifest(layout, job.release, job.manifest_envelope); !status) return status;
    auto const path = layout.lock(job.release);
    auto const lock = open_file(path, O_RDONLY | O_CREAT | O_NOFOLLOW, 0644);
    if (!lock) return pass(lock.error());
    if (auto status = set_mode(lock->get(), 0644, path); !status) return status;
    sync_file_or_die(lock->get(), path);
    sync_directory_or_die(layout.locks(job.release.software));
    return {};
}

// Puts the finished tree in its place. A damaged one that is there goes into the staging directory's name in the
// same step and is deleted; whoever runs it keeps the files that it has open.
Status move_into_place(StageJob const& job, Layout const& layout) {
    auto const& release = job.release;
    auto const staging = layout.staging(release);
    auto const tree = layout.tree(release);
    bool const replace = is_there(tree);
    auto const flags = replace ? RENAME_EXCHANGE : RENAME_NOREPLACE;
    if (renameat2(AT_FDCWD, staging.c_str(), AT_FDCWD, tree.c_str(), flags) != 0) {
        return fail_errno("put the finished tree at", tree);
    }
    sync_directory_or_die(layout.versions(release.software));
    // What the release replaced in its place is in nobody's way any more: the next removal deletes what is left of it.
    if (replace) static_cast<void>(remove_tree(staging, going_on(job)));
    return {};
}

// Whether the tree is there, complete and intact, from an earlier try. What programs have put into it is the scan's
// business.
bool is_finished(StageJob const& job, Layout const& layout) {
    if (!is_there(layout.tree(job.release))) return false;
    auto const differences = compare_tree(layout.tree(job.release), job.manifest, job.step);
    return differences && std::ranges::all_of(*differences, [](Difference const& difference) {
               return difference.kind == DifferenceKind::extra;
           });
}

Result<StageReport> accept_finished(StageJob const& job, Layout const& layout) {
    if (auto status = write_companions(job, layout); !status) return pass(status.error());
    sync_directory_or_die(layout.versions(job.release.software));
    StageReport report;
    report.files = job.manifest.file_count();
    report.was_there = true;
    return report;
}

// Leaves nothing of a failed try but what belongs to a version that was there before.
void clean_up(StageJob const& job, Layout const& layout) {
    static_cast<void>(remove_tree(layout.staging(job.release)));
    if (is_there(layout.tree(job.release))) return;
    static_cast<void>(unlink(layout.manifest(job.release).c_str()));
    static_cast<void>(unlink(layout.lock(job.release).c_str()));
}

}  // namespace

tl::expected<StageReport, StageFailure> stage(StageJob const& job, Layout const& layout, ObjectFiles& objects,
                                              Bytes reserve) {
    auto const failed = [](Error error) {
        return tl::unexpected<StageFailure>(StageFailure{std::move(error), {}, {}});
    };
    if (auto status = check_job(job); !status) return failed(status.error());
    if (auto status = layout.prepare(job.release.software); !status) return failed(status.error());
    if (auto status = remove_tree(layout.staging(job.release), going_on(job)); !status) return failed(status.error());
    if (is_finished(job, layout)) {
        auto report = accept_finished(job, layout);
        if (!report) return failed(report.error());
        return *std::move(report);
    }
    Staging staging(job, layout, objects);
    auto status = staging.build(reserve);
    if (status) status = write_companions(job, layout);
    if (status) status = move_into_place(job, layout);
    if (status) return staging.report();
    if (status.error().fault != Fault::cancelled) clean_up(job, layout);
    return tl::unexpected<StageFailure>(std::move(staging).failure(status.error()));
}

}  // namespace lull::subscriber
