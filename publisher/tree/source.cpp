#include "publisher/tree/source.hpp"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <set>

#include "core/text.hpp"
#include "publisher/tree/archive.hpp"
#include "publisher/tree/attributes.hpp"
#include "publisher/tree/no_links.hpp"
#include "publisher/tree/problems.hpp"
#include "publisher/tree/virtual_environment.hpp"
#include "schema/limits.hpp"

namespace lull::publisher {

namespace {

constexpr std::size_t longest_shown = 400;  // of a path that may hold anything
constexpr mode_t permissions = S_IRWXU | S_IRWXG | S_IRWXO;
constexpr std::size_t most_noted = 5;    // paths in a note
constexpr std::int64_t disk_unit = 512;  // of st_blocks

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
    if (error.fault == Fault::refused) error.message += "; the publishing user needs read permission for all of it";
    return error;
}

tl::unexpected<Error> unfit(fs::path const& path, Error const& why, std::string_view advice) {
    return fail(why.fault, "cannot publish {}: {}{}", quoted(path.string(), longest_shown), why.message, advice);
}

// The root of a mounted file system, where ext4 keeps a directory of its own.
bool is_mount_point(fs::path const& directory) {
    struct stat here {};
    struct stat above {};
    if (stat(directory.c_str(), &here) != 0 || stat((directory / "..").c_str(), &above) != 0) return false;
    return here.st_dev != above.st_dev;
}

Result<std::vector<std::string>> names_in(fs::path const& directory) {
    auto fd = open_without_links(directory, O_RDONLY | O_DIRECTORY);
    if (!fd && fd.error().fault == Fault::failed) return pass(fd.error());
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

// Whether it occupies less than its size because of holes. A file that is preallocated occupies its size.
Result<bool> has_holes(struct stat const& status, fs::path const& full) {
    if (std::int64_t{status.st_blocks} * disk_unit >= status.st_size) return false;
    auto const file = open_without_links(full, O_RDONLY | O_NONBLOCK);
    if (!file) return false;  // reading it finds out why
    auto const hole = lseek(file->get(), 0, SEEK_HOLE);
    return hole >= 0 && hole < status.st_size;  // without the call the file system has no holes
}

// Completes entries by their type, and collects what no release can hold.
class Filler {
public:
    // `archive`: what the tree was unpacked from, or empty.
    Filler(fs::path root, std::vector<std::string> const& allowed_links, fs::path archive = {})
        : root_(std::move(root)),
          allowed_links_(allowed_links),
          archive_(std::move(archive)) {}

    Status fill(SourceEntry& entry, struct stat const& status, fs::path const& full) {
        if (auto const what = unsuitable(status.st_mode); !what.empty()) {
            problems_.add(full, fmt::format("it is {}, and a release holds files, directories and symbolic links only; "
                                            "remove it, or leave it out with --exclude",
                                            what));
            return {};
        }
        if (S_ISLNK(status.st_mode)) return fill_link(entry, full);
        if (S_ISDIR(status.st_mode)) {
            fill_directory(entry, status, full);
        } else if (auto filled = fill_file(entry, status, full); !filled) {
            return filled;
        }
        auto attributes = problems_of_attributes(full);
        if (!attributes) return pass(std::move(attributes.error()));
        for (auto& problem : *attributes) problems_.add(full, std::move(problem));
        return {};
    }

    [[nodiscard]] Problems const& problems() const { return problems_; }
    [[nodiscard]] std::vector<std::string> interpreters() const { return {interpreters_.begin(), interpreters_.end()}; }
    [[nodiscard]] std::vector<std::string> notes() const {
        std::vector<std::string> notes;
        for (auto const& path : interpreters_)
            notes.push_back(fmt::format("nodes need {}, the interpreter of a virtual environment in the tree", path));
        if (!special_.empty()) notes.push_back(note_of_special());
        return notes;
    }

private:
    [[nodiscard]] std::string note_of_special() const {
        auto const more = special_count_ - special_.size();
        return fmt::format("the setuid, setgid and sticky bits of directories are not carried: {}{}",
                           fmt::join(special_, ", "), more > 0 ? fmt::format(" and {} more", more) : "");
    }

    Status fill_link(SourceEntry& entry, fs::path const& full) {
        std::error_code problem;
        entry.type = EntryType::symlink;
        entry.target = fs::read_symlink(full, problem).string();
        if (problem) {
            errno = problem.value();
            return fail_errno("read the link", full);
        }
        if (std::ranges::binary_search(allowed_links_, entry.target)) return {};
        if (validate_allowed_link(entry.target) && is_interpreter_of_environment(full, entry.target)) {
            interpreters_.insert(entry.target);
            return {};
        }
        auto const valid = validate_link(entry.path, entry.target);
        if (valid) return {};
        if (archive_.empty()) {
            problems_.add(full, valid.error().message + advice_for_link(entry, full));
        } else {
            problems_.add(archive_,
                          fmt::format("{}{}; or unpack the archive, change the link, and publish the directory",
                                      valid.error().message, advice_to_allow(entry)));
        }
        return {};
    }

    static std::string advice_to_allow(SourceEntry const& entry) {
        if (!validate_allowed_link(entry.target)) return {};
        return fmt::format("; if all nodes have it: --allow-link {}", shell_quoted(entry.target));
    }

    // What helps with a link that leads out of the tree; the commands work as they stand.
    std::string advice_for_link(SourceEntry const& entry, fs::path const& full) const {
        auto const place = shell_quoted(full.string());
        auto advice = advice_to_allow(entry);
        if (auto const meant = path_in_tree(entry.target); !meant.empty()) {
            advice += fmt::format("; to make it a relative link to something inside the tree: ln -sfnr {} {}",
                                  shell_quoted(meant.string()), place);
        } else if (advice.empty()) {
            advice = "; make it a relative link to something inside the tree";
        }
        std::error_code ignored;
        if (fs::is_regular_file(full, ignored)) {
            advice += fmt::format("; to put the file itself there: cp --remove-destination \"$(readlink -f {})\" {}",
                                  place, place);
        }
        return advice;
    }

    // The path of the tree that an absolute target means: as it stands, or from the top of the tree.
    [[nodiscard]] fs::path path_in_tree(std::string const& target) const {
        if (!target.starts_with('/')) return {};
        std::error_code ignored;
        bool const inside = target.starts_with(root_.string() + "/");
        auto const meant = inside ? fs::path(target) : root_ / fs::path(target).relative_path();
        return fs::exists(fs::symlink_status(meant, ignored)) ? meant : fs::path();
    }

    Status fill_file(SourceEntry& entry, struct stat const& status, fs::path const& full) {
        entry.mode = status.st_mode & permissions;
        entry.stamp = stamp_of(status);
        auto const place = shell_quoted(full.string());
        if ((status.st_mode & (S_ISUID | S_ISGID | S_ISVTX)) != 0) {
            problems_.add(full, fmt::format("it has the setuid, setgid or sticky bit, which a release does not carry; "
                                            "run: chmod u-s,g-s,-t {}",
                                            place));
        }
        if ((status.st_mode & S_IRUSR) == 0)
            problems_.add(full, fmt::format("its mode does not let its owner read it; run: chmod u+r {}", place));
        auto const holes = has_holes(status, full);
        if (!holes) return pass(holes.error());
        entry.sparse = *holes;
        return {};
    }

    void fill_directory(SourceEntry& entry, struct stat const& status, fs::path const& full) {
        entry.type = EntryType::directory;
        entry.mode = status.st_mode & permissions;
        if ((status.st_mode & (S_ISUID | S_ISGID | S_ISVTX)) != 0 && ++special_count_ <= most_noted)
            special_.push_back(quoted(entry.path, longest_shown));
        if ((status.st_mode & (S_IRUSR | S_IXUSR)) != (S_IRUSR | S_IXUSR)) {
            problems_.add(full, fmt::format("its mode does not let its owner look into it; run: chmod u+rx {}",
                                            shell_quoted(full.string())));
        }
    }

    fs::path root_;
    std::vector<std::string> const& allowed_links_;
    fs::path archive_;
    Problems problems_;
    std::set<std::string> interpreters_;  // targets
    std::vector<std::string> special_;    // directories
    std::size_t special_count_ = 0;
};

// Collects a tree's entries, one directory open at a time.
class Scanner {
public:
    Scanner(fs::path const& root, ScanRules const& rules)
        : root_(root),
          left_out_(rules.left_out),
          filler_(root, rules.allowed_links, rules.archive) {}

    Result<ScannedDirectory> run() {
        if (auto status = scan(""); !status) return pass(std::move(status.error()));
        if (auto fit = filler_.problems().outcome(root_); !fit) return pass(std::move(fit.error()));
        std::sort(entries_.begin(), entries_.end(), [](auto const& a, auto const& b) { return a.path < b.path; });
        ScannedDirectory scanned{std::move(entries_), filler_.interpreters(), filler_.notes()};
        if (auto note = note_of_top(scanned.entries); !note.empty()) scanned.notes.push_back(std::move(note));
        return scanned;
    }

private:
    Status scan(std::string const& inside) {
        auto const directory = inside.empty() ? root_ : root_ / inside;
        auto const names = names_in(directory);
        if (!names) return pass(names.error());
        bool const medium = inside.empty() && is_mount_point(root_);
        std::vector<std::string> directories;
        for (auto const& name : *names) {
            if (medium && name == "lost+found") continue;
            auto const path = inside.empty() ? name : inside + "/" + name;
            if (left_out_(path)) continue;
            auto const found = add(path);
            if (!found) return pass(found.error());
            if (*found == EntryType::directory) directories.push_back(path);
        }
        for (auto const& path : directories) {
            if (auto status = scan(path); !status) return status;
        }
        return {};
    }

    // The mode of the top is not carried: build directories are often private, and what they hold is not.
    std::string note_of_top(std::vector<SourceEntry> const& entries) const {
        struct stat status {};
        if (stat(root_.c_str(), &status) != 0 || (status.st_mode & (S_IROTH | S_IXOTH)) != 0) return {};
        bool const opened = std::ranges::any_of(entries, [](SourceEntry const& entry) {
            return entry.path.find('/') == std::string::npos && (entry.mode & S_IROTH) != 0;
        });
        if (!opened) return {};
        return fmt::format(
            "{} is closed to other users (mode {:04o}); on nodes the top directory of a release is 0755, and "
            "files and directories in it keep their modes",
            root_.string(), status.st_mode & permissions);
    }

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
        auto const place = open_without_links(full, O_PATH);
        if (!place && place.error().fault == Fault::failed) return pass(place.error());
        if (!place || fstat(place->get(), &status) != 0) return pass(unreadable("read the attributes of", full));
        SourceEntry entry{path, EntryType::file, 0, {}, false, {}};
        if (auto const filled = filler_.fill(entry, status, full); !filled) return pass(filled.error());
        entries_.push_back(std::move(entry));
        return entries_.back().type;
    }

    fs::path root_;
    LeftOut const& left_out_;
    Filler filler_;
    std::vector<SourceEntry> entries_;
};

Status require_contents(std::vector<SourceEntry> const& entries, fs::path const& path) {
    if (!entries.empty()) return {};
    return fail(Fault::usage, "nothing to publish: {} is empty; if it is a medium, is it mounted?", path.string());
}

Result<SourceTree> open_directory(fs::path const& path, ScanRules const& rules) {
    SourceTree tree;
    tree.root = path;
    tree.lasting = true;
    tree.scanned = wall_clock();
    auto scanned = scan_directory(path, rules);
    if (!scanned) return pass(std::move(scanned.error()));
    tree.entries = std::move(scanned->entries);
    tree.interpreters = std::move(scanned->interpreters);
    tree.notes = std::move(scanned->notes);
    return tree;
}

// `named`: the path that the user gave; `real`: the resolved path.
Result<SourceTree> open_single_file(fs::path const& named, fs::path const& real) {
    SourceTree tree;
    tree.root = real.parent_path();
    tree.single = real;
    tree.lasting = true;
    tree.scanned = wall_clock();
    SourceEntry entry{named.filename().string(), EntryType::file, 0, {}, false, {}};
    if (auto const valid = validate_path(entry.path); !valid) return unfit(named, valid.error(), "; rename it");
    struct stat status {};
    if (stat(real.c_str(), &status) != 0) return pass(unreadable("read the attributes of", real));
    std::vector<std::string> const no_links;
    Filler filler(real.parent_path(), no_links);
    if (auto const filled = filler.fill(entry, status, real); !filled) return pass(filled.error());
    if (auto fit = filler.problems().outcome(real); !fit) return pass(std::move(fit.error()));
    tree.entries.push_back(std::move(entry));
    constexpr std::array packed = std::to_array<std::string_view>({".iso", ".deb", ".rpm", ".jar", ".whl", ".apk"});
    auto const extension = named.extension().string();
    if (std::ranges::find(packed, extension) != packed.end()) {
        tree.notes.push_back(
            fmt::format("{} is published as one file; to publish what it holds, unpack it and publish "
                        "the directory",
                        named.string()));
    }
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

Result<SourceTree> open_archive(fs::path const& path, TopDirectory top, ScanRules const& rules) {
    auto unpacked = UnpackedArchive::unpack(path, ArchiveLimits{});
    if (!unpacked) return pass(std::move(unpacked.error()));
    auto const kept = std::make_shared<UnpackedArchive const>(std::move(*unpacked));
    auto root = kept->path();
    if (top == TopDirectory::strip) {
        auto only = only_directory(root, path);
        if (!only) return pass(std::move(only.error()));
        root = std::move(*only);
    }
    auto tree = open_directory(root, rules);
    if (!tree) return tree;
    tree->unpacked = kept;
    tree->notes = kept->notes();
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

Result<ScannedDirectory> scan_directory(fs::path const& root, ScanRules const& rules) {
    return Scanner(root, rules).run();
}

Result<SourceTree> open_source(fs::path const& path, TopDirectory top, TreeRules const& rules) {
    auto const resolved = resolve(path);
    if (!resolved) return pass(resolved.error());
    std::error_code ignored;
    bool const directory = fs::is_directory(*resolved, ignored);
    bool const archive = !directory && has_archive_name(*resolved);
    if (top == TopDirectory::strip && !archive) {
        return fail(Fault::usage, "--strip is for archives, and {} is none (by its name); leave out --strip",
                    path.string());
    }
    LeftOut const excluded = [&](std::string const& inside) { return rules.excludes.match(inside); };
    LeftOut const not_released = [&](std::string const& inside) { return is_of_publisher(inside) || excluded(inside); };
    auto tree = directory ? open_directory(*resolved, {not_released, rules.allowed_links, {}})
                : archive ? open_archive(*resolved, top, {excluded, rules.allowed_links, *resolved})
                          : open_single_file(path, *resolved);
    if (!tree) return tree;
    if (auto status = require_contents(tree->entries, path); !status) return pass(std::move(status.error()));
    return tree;
}

}  // namespace lull::publisher
