#include "subscriber/tree_check.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <unordered_set>

namespace lull::subscriber {

namespace {

constexpr std::size_t read_at_once = 256 * 1024;

mode_t wanted_mode(Entry const& entry) {
    return entry.type == EntryType::directory || entry.executable ? 0755 : 0644;
}

mode_t wanted_type(EntryType type) {
    switch (type) {
        case EntryType::file: return S_IFREG;
        case EntryType::directory: return S_IFDIR;
        default: return S_IFLNK;
    }
}

// Collects what is wrong with one tree.
class Comparison {
public:
    Comparison(fs::path const& tree, Manifest const& manifest) : tree_(tree), manifest_(manifest) {}

    Result<std::vector<Difference>> run() {
        auto handle = open_file(tree_, O_PATH | O_DIRECTORY | O_NOFOLLOW);
        if (!handle) return pass(handle.error());
        handle_ = *std::move(handle);
        for (auto const& entry : manifest_.entries) {
            if (auto status = check(entry); !status) return pass(status.error());
        }
        if (auto status = find_extra(); !status) return pass(status.error());
        std::stable_sort(found_.begin(), found_.end(), [](auto const& a, auto const& b) { return a.path < b.path; });
        return std::move(found_);
    }

private:
    void note(std::string path, DifferenceKind kind) { found_.push_back({std::move(path), kind}); }

    Status check(Entry const& entry) {
        auto const path = tree_ / entry.path;
        struct stat status {};
        if (lstat(path.c_str(), &status) != 0) {
            if (errno != ENOENT && errno != ENOTDIR) return fail_errno("look at", path);
            note(entry.path, DifferenceKind::missing);
            return {};
        }
        if ((status.st_mode & S_IFMT) != wanted_type(entry.type)) {
            note(entry.path, DifferenceKind::type);
            return {};
        }
        if (entry.type == EntryType::symlink) return check_link(entry, path);
        bool const right_mode = (status.st_mode & 07777) == wanted_mode(entry);
        if (!right_mode) note(entry.path, DifferenceKind::mode);
        if (entry.type == EntryType::directory) return {};
        if (static_cast<std::uint64_t>(status.st_size) != entry.size.count()) {
            note(entry.path, DifferenceKind::content);
            return {};
        }
        auto const same = same_contents(entry, path);
        // A file that we may not even read has been named for its mode.
        if (!same && same.error().fault == Fault::refused && !right_mode) return {};
        if (!same) return pass(same.error());
        if (!*same) note(entry.path, DifferenceKind::content);
        return {};
    }

    Status check_link(Entry const& entry, fs::path const& path) {
        std::error_code problem;
        auto const target = fs::read_symlink(path, problem);
        if (problem) return fail(Fault::failed, "cannot read {}: {}", path.string(), problem.message());
        if (!entry.target || target.string() != *entry.target) note(entry.path, DifferenceKind::content);
        return {};
    }

    [[nodiscard]] Result<bool> same_contents(Entry const& entry, fs::path const& path) const {
        auto const file = open_beneath(handle_.get(), entry.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        if (!file) return pass(file.error());
        auto const digest = hash_file(file->get(), path);
        if (!digest) return pass(digest.error());
        return entry.digest == *digest;
    }

    Status find_extra() {
        std::unordered_set<std::string_view> known;
        for (auto const& entry : manifest_.entries) known.insert(entry.path);
        std::error_code problem;
        fs::recursive_directory_iterator entries(tree_, problem);
        while (!problem && entries != fs::recursive_directory_iterator()) {
            auto path = entries->path().lexically_relative(tree_).string();
            if (!known.contains(path)) note(std::move(path), DifferenceKind::extra);
            entries.increment(problem);
        }
        if (problem) return fail(Fault::failed, "cannot list {}: {}", tree_.string(), problem.message());
        return {};
    }

    fs::path const& tree_;
    Manifest const& manifest_;
    FileDescriptor handle_;
    std::vector<Difference> found_;
};

}  // namespace

std::string to_text(Difference const& difference) {
    switch (difference.kind) {
        case DifferenceKind::missing: return difference.path + ": missing";
        case DifferenceKind::extra: return difference.path + ": not part of the release";
        case DifferenceKind::type: return difference.path + ": of another type";
        case DifferenceKind::mode: return difference.path + ": mode differs";
        default: return difference.path + ": contents differ";
    }
}

Result<std::vector<Difference>> compare_tree(fs::path const& tree, Manifest const& manifest) {
    return Comparison(tree, manifest).run();
}

Result<std::vector<Difference>> verify_tree(Layout const& layout, ReleaseId const& release, Manifest const& manifest) {
    return compare_tree(layout.tree(release), manifest);
}

Result<Digest> hash_file(int file, fs::path const& path) {
    Sha256 hash;
    Buffer block(read_at_once);
    off_t offset = 0;
    while (true) {
        auto const got = pread(file, block.data(), block.size(), offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno("read", path);
        if (got == 0) return hash.finish();
        hash.update(View(block).first(static_cast<std::size_t>(got)));
        offset += got;
    }
}

}  // namespace lull::subscriber
