#include "subscriber/tree/tree_repair.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "subscriber/tree/repair_sources.hpp"
#include "subscriber/tree/sparse_write.hpp"
#include "subscriber/tree/writable_directory.hpp"

namespace lull::subscriber {

namespace {

// One path of a tree: the directory that it lies in, and its name there.
struct Place {
    FileDescriptor directory;
    std::string name;
};

// Changes one tree.
class Repair {
public:
    Repair(RepairJob const& job, Layout const& layout, std::vector<Difference> const& differences)
        : job_(job),
          layout_(layout),
          fresh_path_(layout.repairing(job.release.software)),
          sources_(job, layout, differences) {}

    Repaired run(std::vector<Difference> const& differences) {
        if (auto status = open(); !status) return {{}, {}, status};
        Status outcome;
        for (auto const& difference : differences) {
            auto const status = repair(difference);
            if (!status && outcome) outcome = status;
            if (job_.step && !job_.step(Bytes())) break;
        }
        return {sources_.lacking(), sources_.damaged(), std::move(outcome)};
    }

private:
    [[nodiscard]] fs::path full(std::string const& path) const { return layout_.tree(job_.release) / path; }

    Status open() {
        if (auto cleared = clear_repairs(layout_, job_.release.software); !cleared) return cleared;
        auto tree = open_file(layout_.tree(job_.release), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (!tree) return pass(tree.error());
        tree_ = *std::move(tree);
        return sources_.open();
    }

    static bool is_attribute(Difference const& difference) {
        return difference.kind == DifferenceKind::mode || difference.kind == DifferenceKind::time;
    }

    Status repair(Difference const& difference) {
        if (difference.kind == DifferenceKind::extra) return remove_extra(difference.path);
        auto const found = std::ranges::lower_bound(job_.manifest.entries, difference.path, {}, &Entry::path);
        LULL_INVARIANT(found != job_.manifest.entries.end() && found->path == difference.path);
        switch (found->type) {
            case EntryType::symlink: return make_link(*found);
            case EntryType::directory:
                return is_attribute(difference) ? set_attributes(*found) : make_directory(*found);
            case EntryType::file: return is_attribute(difference) ? set_attributes(*found) : make_file(*found);
        }
        return {};
    }

    [[nodiscard]] Result<Place> place_of(std::string const& path) const {
        auto const relative = fs::path(path);
        auto handle = open_within(tree_.get(), relative.has_parent_path() ? relative.parent_path() : fs::path("."),
                                  O_RDONLY | O_DIRECTORY);
        if (!handle) return pass(handle.error());
        return Place{*std::move(handle), relative.filename().string()};
    }

    Status remove_extra(std::string const& path) const {
        auto const place = place_of(path);
        if (!place) return place.error().fault == Fault::not_found ? Status() : pass(place.error());
        WritableDirectory const writable(place->directory.get());
        if (auto removed = remove_beneath(place->directory.get(), place->name); !removed) return removed;
        sync_file_or_die(place->directory.get(), full(path).parent_path());
        return {};
    }

    // A file with another name elsewhere is not ours to change: it gets a copy of its own.
    Status set_attributes(Entry const& entry) {
        auto const handle = open_within(tree_.get(), entry.path, O_PATH | O_NOFOLLOW);
        if (!handle) return pass(handle.error());
        struct stat status {};
        if (fstat(handle->get(), &status) != 0) return fail_errno("look at", full(entry.path));
        bool const ours = entry.type == EntryType::directory ? S_ISDIR(status.st_mode)
                                                             : S_ISREG(status.st_mode) && status.st_nlink == 1;
        if (!ours) return entry.type == EntryType::directory ? make_directory(entry) : make_file(entry);
        // fchmod(2) does not take O_PATH descriptors; this link leads to exactly this file.
        if (chmod(fmt::format("/proc/self/fd/{}", handle->get()).c_str(), wanted_mode(entry)) != 0) {
            return fail_errno("set the mode of", full(entry.path));
        }
        auto const file = open_within(tree_.get(), entry.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        if (!file) return pass(file.error());
        if (auto set = set_time(file->get(), entry, full(entry.path)); !set) return set;
        sync_file_or_die(file->get(), full(entry.path));
        return {};
    }

    Status make_directory(Entry const& entry) {
        auto const place = place_of(entry.path);
        if (!place) return pass(place.error());
        if (mkdir(fresh_path_.c_str(), 0700) != 0) return fail_errno("make the directory", fresh_path_);
        auto const made = open_file(fresh_path_, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (!made) return pass(made.error());
        if (auto status = put(*place, entry); !status) return status;
        // Only now: without root a directory that may not be written to cannot be moved.
        if (fchmod(made->get(), wanted_mode(entry)) != 0) return fail_errno("set the mode of", full(entry.path));
        sync_file_or_die(made->get(), full(entry.path));
        return {};
    }

    Status make_link(Entry const& entry) {
        auto const place = place_of(entry.path);
        if (!place) return pass(place.error());
        if (symlink(entry.target->c_str(), fresh_path_.c_str()) != 0) return fail_errno("make the link", fresh_path_);
        return put(*place, entry);
    }

    Status make_file(Entry const& entry) {
        auto const place = place_of(entry.path);
        if (!place) return pass(place.error());
        auto const filled = fill(entry, place->directory.get(), place->name);
        if (filled && *filled) return put(*place, entry);
        static_cast<void>(unlink(fresh_path_.c_str()));
        return filled ? Status() : pass(filled.error());
    }

    // Makes the right file beside the tree, durable; false if bytes are lacking.
    Result<bool> fill(Entry const& entry, int directory, std::string const& name) {
        auto const space = free_space(layout_.versions(job_.release.software));
        if (!space) return pass(space.error());
        auto const needed = bytes_on_disk(entry);
        if (space->bytes < needed + job_.reserve) {
            return fail(Fault::no_space,
                        "no room to make {} anew: it has {}, and {} are free, of which {} stay in reserve; make room",
                        full(entry.path).string(), to_text(needed), to_text(space->bytes), to_text(job_.reserve));
        }
        auto const file = open_file(fresh_path_, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
        if (!file) return pass(file.error());
        auto const damaged = open_within(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        auto const filled = sources_.fill(entry, file->get(), damaged ? damaged->get() : -1);
        if (!filled || !*filled) return filled;
        if (fchmod(file->get(), wanted_mode(entry)) != 0) return fail_errno("set the mode of", fresh_path_);
        if (auto set = set_time(file->get(), entry, fresh_path_); !set) return pass(set.error());
        sync_file_or_die(file->get(), fresh_path_);
        return true;
    }

    // Puts what was made in its place in one step. What was there is deleted: a file by that step, a directory after
    // it.
    Status put(Place const& place, Entry const& entry) {
        struct stat status {};
        bool const there = fstatat(place.directory.get(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
        bool const exchange = there && (S_ISDIR(status.st_mode) || entry.type == EntryType::directory);
        auto const flags = exchange ? RENAME_EXCHANGE : 0U;
        WritableDirectory const writable(place.directory.get());
        if (renameat2(AT_FDCWD, fresh_path_.c_str(), place.directory.get(), place.name.c_str(), flags) != 0) {
            auto error = fail_errno("put right", full(entry.path));
            static_cast<void>(clear_repairs(layout_, job_.release.software));
            return error;
        }
        sync_file_or_die(place.directory.get(), full(entry.path).parent_path());
        return exchange ? clear_repairs(layout_, job_.release.software) : Status();
    }

    RepairJob const& job_;
    Layout const& layout_;
    fs::path fresh_path_;
    RepairSources sources_;
    FileDescriptor tree_;
};

}  // namespace

Repaired repair_tree(RepairJob const& job, std::vector<Difference> const& differences, Layout const& layout) {
    return Repair(job, layout, differences).run(differences);
}

Status clear_repairs(Layout const& layout, SoftwareName const& software) {
    auto const versions = open_file(layout.versions(software), O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (!versions) return versions.error().fault == Fault::not_found ? Status() : pass(versions.error());
    return remove_beneath(versions->get(), layout.repairing(software).filename());
}

}  // namespace lull::subscriber
