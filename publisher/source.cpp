#include "publisher/source.hpp"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "core/text.hpp"
#include "publisher/archive.hpp"
#include "schema/limits.hpp"

namespace lull::publisher {

namespace {

constexpr std::size_t most_shown = 400;  // of a path that may hold anything
constexpr mode_t any_execute = S_IXUSR | S_IXGRP | S_IXOTH;

std::int64_t nanoseconds(timespec const& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

std::int64_t wall_clock() {
    auto const since = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
}

// Why this type of file cannot be part of a release; empty if it can.
std::string_view unsuitable(mode_t mode) {
    if (S_ISSOCK(mode)) return "a socket";
    if (S_ISFIFO(mode)) return "a named pipe";
    if (S_ISBLK(mode)) return "a block device";
    if (S_ISCHR(mode)) return "a character device";
    if (S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode)) return "";
    return "neither file nor directory nor symbolic link";
}

// fail_errno for something that the release needs to be read.
Error unreadable(std::string_view verb, fs::path const& path) {
    auto error = fail_errno(verb, path).value();
    if (error.fault == Fault::refused) error.message += "; whoever publishes must be able to read all of it";
    return error;
}

tl::unexpected<Error> unfit(fs::path const& path, Error const& why, std::string_view advice) {
    return fail(why.fault, "cannot publish {}: {}{}", quoted(path.string(), most_shown), why.message, advice);
}

// The root of a mounted file system, where ext4 keeps a directory of its own.
bool is_mount_point(fs::path const& directory) {
    struct stat here {};
    struct stat above {};
    if (stat(directory.c_str(), &here) != 0 || stat((directory / "..").c_str(), &above) != 0) return false;
    return here.st_dev != above.st_dev;
}

Result<std::vector<std::string>> names_in(fs::path const& directory, int flags) {
    auto fd = open_file(directory, O_RDONLY | O_DIRECTORY | flags);
    if (!fd) return pass(unreadable("open", directory));
    std::unique_ptr<DIR, int (*)(DIR*)> const stream(fdopendir(fd->get()), closedir);
    if (!stream) return fail_errno("list", directory);
    static_cast<void>(fd->release());  // closedir closes it
    std::vector<std::string> names;
    errno = 0;
    while (dirent const* const entry = readdir(stream.get())) {
        std::string_view const name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return fail_errno("list", directory);
    return names;
}

Status fill_link(SourceEntry& entry, fs::path const& full) {
    std::error_code problem;
    entry.type = EntryType::symlink;
    entry.target = fs::read_symlink(full, problem).string();
    if (problem) {
        errno = problem.value();
        return fail_errno("read the link", full);
    }
    if (auto const valid = validate_link(entry.path, entry.target); !valid) {
        return unfit(full, valid.error(),
                     "; make it a relative link to something inside the tree, or put the file itself there");
    }
    return {};
}

Status fill_file(SourceEntry& entry, struct stat const& status, fs::path const& full) {
    if ((status.st_mode & (S_ISUID | S_ISGID)) != 0) {
        return fail(Fault::refused,
                    "cannot publish {}: it has the setuid or setgid bit, which a release does not carry; run: "
                    "chmod u-s,g-s '{}'",
                    full.string(), full.string());
    }
    entry.executable = (status.st_mode & any_execute) != 0;
    entry.stamp = stamp_of(status);
    return {};
}

// Completes an entry by its type.
Status fill(SourceEntry& entry, struct stat const& status, fs::path const& full) {
    if (auto const what = unsuitable(status.st_mode); !what.empty()) {
        return fail(Fault::refused,
                    "cannot publish {}: it is {}, and a release holds files, directories and symbolic links only; "
                    "remove it, or publish a directory without it",
                    full.string(), what);
    }
    if (S_ISLNK(status.st_mode)) return fill_link(entry, full);
    if (S_ISREG(status.st_mode)) return fill_file(entry, status, full);
    entry.type = EntryType::directory;
    return {};
}

// Collects a tree's entries, one directory open at a time.
class Scanner {
public:
    explicit Scanner(fs::path const& root) : root_(root) {}

    Status scan(std::string const& inside) {
        auto const directory = inside.empty() ? root_ : root_ / inside;
        // Below the root no link is followed: what was a directory a moment ago may have been replaced.
        auto const names = names_in(directory, inside.empty() ? 0 : O_NOFOLLOW);
        if (!names) return pass(names.error());
        bool const medium = inside.empty() && is_mount_point(root_);
        std::vector<std::string> directories;
        for (auto const& name : *names) {
            if (medium && name == "lost+found") continue;
            auto const path = inside.empty() ? name : inside + "/" + name;
            auto const found = add(path);
            if (!found) return pass(found.error());
            if (*found == EntryType::directory) directories.push_back(path);
        }
        for (auto const& path : directories) {
            if (auto status = scan(path); !status) return status;
        }
        return {};
    }

    std::vector<SourceEntry> take_sorted() {
        std::sort(entries_.begin(), entries_.end(), [](auto const& a, auto const& b) { return a.path < b.path; });
        return std::move(entries_);
    }

private:
    // Adds the entry at a path below the root.
    Result<EntryType> add(std::string const& path) {
        auto const full = root_ / path;
        if (auto const valid = validate_path(path); !valid) return unfit(full, valid.error(), "");
        if (entries_.size() == limits::files_per_manifest) {
            return fail(Fault::refused,
                        "cannot publish {}: it holds more than {} paths; split it into several pieces of software",
                        root_.string(), limits::files_per_manifest);
        }
        struct stat status {};
        if (lstat(full.c_str(), &status) != 0) return pass(unreadable("look at", full));
        SourceEntry entry{path, EntryType::file, false, {}, {}};
        if (auto const filled = fill(entry, status, full); !filled) return pass(filled.error());
        entries_.push_back(std::move(entry));
        return entries_.back().type;
    }

    fs::path root_;
    std::vector<SourceEntry> entries_;
};

Status require_contents(std::vector<SourceEntry> const& entries, fs::path const& path) {
    if (!entries.empty()) return {};
    return fail(Fault::usage, "nothing to publish: {} is empty; if it is a medium, is it mounted?", path.string());
}

Result<SourceTree> open_directory(fs::path const& path) {
    SourceTree tree;
    tree.root = path;
    tree.lasting = true;
    tree.scanned = wall_clock();
    auto entries = scan_directory(path);
    if (!entries) return pass(std::move(entries.error()));
    tree.entries = std::move(*entries);
    return tree;
}

// `named` is what the operator called it, `real` where it lies.
Result<SourceTree> open_single_file(fs::path const& named, fs::path const& real) {
    SourceTree tree;
    tree.root = real.parent_path();
    tree.single = real;
    tree.lasting = true;
    tree.scanned = wall_clock();
    SourceEntry entry{named.filename().string(), EntryType::file, false, {}, {}};
    if (auto const valid = validate_path(entry.path); !valid) return unfit(named, valid.error(), "; rename it");
    struct stat status {};
    if (stat(real.c_str(), &status) != 0) return pass(unreadable("look at", real));
    if (auto const filled = fill(entry, status, real); !filled) return pass(filled.error());
    tree.entries.push_back(std::move(entry));
    return tree;
}

// The directory that is alone at the top of an unpacked archive.
Result<fs::path> only_directory(fs::path const& unpacked, fs::path const& archive) {
    std::vector<fs::directory_entry> found;
    std::error_code problem;
    for (auto const& entry : fs::directory_iterator(unpacked, problem)) found.push_back(entry);
    if (!problem && found.size() == 1 && found.front().is_directory() && !found.front().is_symlink())
        return found.front().path();
    return fail(
        Fault::usage,
        "cannot strip the top directory of {}: it has {} entries at the top, not one directory; leave out --strip",
        archive.string(), found.size());
}

Result<SourceTree> open_archive(fs::path const& path, TopDirectory top) {
    auto unpacked = UnpackedArchive::unpack(path, ArchiveLimits{});
    if (!unpacked) return pass(std::move(unpacked.error()));
    auto const kept = std::make_shared<UnpackedArchive const>(std::move(*unpacked));
    auto root = kept->path();
    if (top == TopDirectory::strip) {
        auto only = only_directory(root, path);
        if (!only) return pass(std::move(only.error()));
        root = std::move(*only);
    }
    auto tree = open_directory(root);
    if (!tree) return tree;
    tree->unpacked = kept;
    tree->lasting = false;
    return tree;
}

// The absolute path without links.
Result<fs::path> resolve(fs::path const& path) {
    std::error_code problem;
    auto resolved = fs::canonical(path, problem);
    if (!problem) return resolved;
    errno = problem.value();
    auto error = unreadable("publish", path);
    if (error.fault == Fault::not_found) error.message += "; check the path";
    return pass(std::move(error));
}

}  // namespace

FileStamp stamp_of(struct stat const& status) {
    return FileStamp{Bytes(static_cast<std::uint64_t>(status.st_size)), nanoseconds(status.st_mtim),
                     nanoseconds(status.st_ctim), status.st_ino, status.st_dev};
}

Result<std::vector<SourceEntry>> scan_directory(fs::path const& root) {
    Scanner scanner(root);
    if (auto const status = scanner.scan(""); !status) return pass(status.error());
    return scanner.take_sorted();
}

Result<SourceTree> open_source(fs::path const& path, TopDirectory top) {
    auto const resolved = resolve(path);
    if (!resolved) return pass(resolved.error());
    std::error_code ignored;
    bool const directory = fs::is_directory(*resolved, ignored);
    bool const archive = !directory && has_archive_name(*resolved);
    if (top == TopDirectory::strip && !archive) {
        return fail(Fault::usage, "--strip is for archives, and {} is none (by its name); leave out --strip",
                    path.string());
    }
    auto tree = directory ? open_directory(*resolved)
                : archive ? open_archive(*resolved, top)
                          : open_single_file(path, *resolved);
    if (!tree) return tree;
    if (auto status = require_contents(tree->entries, path); !status) return pass(std::move(status.error()));
    return tree;
}

}  // namespace lull::publisher
