#include "subscriber/tree/tree_check.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <unordered_set>

#include "core/text.hpp"
#include "schema/path_patterns.hpp"

namespace lull::subscriber {

namespace {

constexpr std::size_t most_extra = 10'000;  // of paths that do not belong there; the rest is seen at the next look

mode_t wanted_type(EntryType type) {
    switch (type) {
        case EntryType::file: return S_IFREG;
        case EntryType::directory: return S_IFDIR;
        default: return S_IFLNK;
    }
}

bool same_look(struct stat const& a, struct stat const& b) {
    return a.st_ino == b.st_ino && a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
           a.st_mtim.tv_nsec == b.st_mtim.tv_nsec && a.st_ctim.tv_sec == b.st_ctim.tv_sec &&
           a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

std::string_view parent_of(std::string_view path) {
    auto const slash = path.rfind('/');
    return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

// Collects what is wrong with one tree.
class Comparison {
public:
    Comparison(fs::path const& tree, Manifest const& manifest, TreeLook const& look)
        : tree_(tree),
          manifest_(manifest),
          look_(look) {}

    Result<TreeSeen> run() {
        auto handle = open_file(tree_, O_PATH | O_DIRECTORY | O_NOFOLLOW);
        if (!handle) return pass(handle.error());
        handle_ = *std::move(handle);
        seen_.marks.resize(manifest_.entries.size());
        for (std::size_t i = 0; i < manifest_.entries.size(); ++i) {
            if (auto status = check(i); !status) return pass(status.error());
            if (look_.step && !look_.step(Bytes())) return stopped_at(tree_);
        }
        if (auto status = find_extra(); !status) return pass(status.error());
        std::ranges::stable_sort(seen_.differences, {}, &Difference::path);
        return std::move(seen_);
    }

private:
    void note(std::string path, DifferenceKind kind) { seen_.differences.push_back({std::move(path), kind}); }

    // Of a directory: what would be below it is not there. Parents come before children.
    Status missing(Entry const& entry, DifferenceKind kind) {
        note(entry.path, kind);
        if (entry.type == EntryType::directory) gone_.insert(entry.path);
        return {};
    }

    Status check(std::size_t index) {
        auto const& entry = manifest_.entries[index];
        auto const parent = parent_of(entry.path);
        if (gone_.contains(parent)) return missing(entry, DifferenceKind::missing);
        if (closed_.contains(parent)) {
            if (entry.type == EntryType::directory) closed_.insert(entry.path);
            return {};
        }
        struct stat status {};
        if (fstatat(handle_.get(), entry.path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno == ENOENT || errno == ENOTDIR) return missing(entry, DifferenceKind::missing);
            return fail_errno("look at", tree_ / entry.path);
        }
        if ((status.st_mode & S_IFMT) != wanted_type(entry.type)) return missing(entry, DifferenceKind::type);
        if (entry.type == EntryType::symlink) return check_link(entry);
        bool const right_mode = (status.st_mode & 07777) == wanted_mode(entry);
        if (!right_mode) note(entry.path, DifferenceKind::mode);
        if (entry.type == EntryType::file) {
            auto const before = seen_.differences.size();
            if (auto checked = check_file(index, status, right_mode); !checked) return checked;
            if (before == seen_.differences.size()) check_time(entry, status);
            return {};
        }
        if (!right_mode && faccessat(handle_.get(), entry.path.c_str(), R_OK | X_OK, AT_EACCESS) != 0)
            closed_.insert(entry.path);
        return {};
    }

    // Of contents a time says nothing; programs compare it (bytecode, make), so it is put right.
    void check_time(Entry const& entry, struct stat const& status) {
        if (entry.modified && status.st_mtim.tv_sec != static_cast<std::int64_t>(*entry.modified))
            note(entry.path, DifferenceKind::time);
    }

    Status check_file(std::size_t index, struct stat const& status, bool right_mode) {
        auto const& entry = manifest_.entries[index];
        if (static_cast<std::uint64_t>(status.st_size) != entry.size.count()) {
            note(entry.path, DifferenceKind::content);
            return {};
        }
        auto const mark = mark_of(status, look_.now);
        if (mark != 0 && index < look_.known.size() && look_.known[index] == mark) {
            seen_.marks[index] = mark;
            return {};
        }
        return read_file(index, right_mode);
    }

    Status check_link(Entry const& entry) {
        std::array<char, limits::path_bytes + 1> target{};
        auto const length = readlinkat(handle_.get(), entry.path.c_str(), target.data(), target.size());
        if (length < 0) return fail_errno("read", tree_ / entry.path);
        if (std::string_view(target.data(), static_cast<std::size_t>(length)) != entry.target)
            note(entry.path, DifferenceKind::content);
        return {};
    }

    // A file that changes while it is read is not marked.
    Status read_file(std::size_t index, bool right_mode) {
        auto const& entry = manifest_.entries[index];
        auto const path = tree_ / entry.path;
        auto const file = open_beneath(handle_.get(), entry.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        // One that we may not even read has been named for its mode.
        if (!file && file.error().fault == Fault::refused && !right_mode) return {};
        if (!file && file.error().fault == Fault::not_found)
            return missing(entry, DifferenceKind::missing);  // in this instant
        if (!file) return pass(file.error());
        struct stat before {};
        struct stat after {};
        if (fstat(file->get(), &before) != 0) return fail_errno("look at", path);
        bool stopped = false;
        auto const digest = hash_file(file->get(), path, [&](Bytes piece) {
            seen_.read += piece;
            stopped = look_.step && !look_.step(piece);
            return !stopped;
        });
        if (stopped) return pass(digest.error());
        // What the disk cannot read any more is damaged as well.
        if (!digest || entry.digest != *digest) {
            note(entry.path, DifferenceKind::content);
        } else if (right_mode && fstat(file->get(), &after) == 0 && same_look(before, after)) {
            seen_.marks[index] = mark_of(before, look_.now);
        }
        return {};
    }

    Status find_extra() {
        auto const allowed = PathPatterns::parse(manifest_.strays.value_or(std::vector<std::string>()));
        if (!allowed) return pass(allowed.error());
        std::unordered_set<std::string_view> known;
        for (auto const& entry : manifest_.entries) known.insert(entry.path);
        auto const prefix = (tree_ / "").native().size();
        std::error_code problem;
        fs::recursive_directory_iterator entries(tree_, fs::directory_options::skip_permission_denied, problem);
        for (std::size_t extra = 0; !problem && extra < most_extra && entries != fs::recursive_directory_iterator();) {
            auto path = entries->path().native().substr(prefix);
            if (!known.contains(path)) {
                entries.disable_recursion_pending();
                if (!allowed->match(path)) {
                    note(std::move(path), DifferenceKind::extra);
                    ++extra;
                }
            }
            entries.increment(problem);
        }
        if (problem) return fail(Fault::failed, "cannot list {}: {}", tree_.string(), problem.message());
        return {};
    }

    fs::path const& tree_;
    Manifest const& manifest_;
    TreeLook const& look_;
    FileDescriptor handle_;
    std::unordered_set<std::string_view> gone_;    // directories that are not there
    std::unordered_set<std::string_view> closed_;  // directories whose mode keeps us out
    TreeSeen seen_;
};

}  // namespace

mode_t wanted_mode(Entry const& entry) { return mode_of(entry); }

Status set_time(int file, Entry const& entry, fs::path const& path) {
    if (!entry.modified) return {};
    std::array const times = {timespec{0, UTIME_OMIT}, timespec{static_cast<time_t>(*entry.modified), 0}};
    return futimens(file, times.data()) == 0 ? Status() : fail_errno("set the time of", path);
}

std::string to_text(Difference const& difference) {
    constexpr std::size_t longest_shown = 300;
    auto const text = quoted(difference.path, longest_shown);
    auto const path = std::string_view(text).substr(1, text.size() - 2);
    switch (difference.kind) {
        case DifferenceKind::missing: return fmt::format("{}: missing", path);
        case DifferenceKind::extra: return fmt::format("{}: not part of the release", path);
        case DifferenceKind::type: return fmt::format("{}: of another type", path);
        case DifferenceKind::mode: return fmt::format("{}: mode differs", path);
        case DifferenceKind::time: return fmt::format("{}: time differs", path);
        default: return fmt::format("{}: contents differ", path);
    }
}

Result<TreeSeen> look_at_tree(fs::path const& tree, Manifest const& manifest, TreeLook const& look) {
    return Comparison(tree, manifest, look).run();
}

Result<std::vector<Difference>> compare_tree(fs::path const& tree, Manifest const& manifest, ReadStep const& step) {
    auto seen = look_at_tree(tree, manifest, {{}, {}, step});
    if (!seen) return pass(std::move(seen.error()));
    return std::move(seen->differences);
}

Result<std::vector<Difference>> verify_tree(Layout const& layout, ReleaseId const& release, Manifest const& manifest) {
    return compare_tree(layout.tree(release), manifest);
}

}  // namespace lull::subscriber
