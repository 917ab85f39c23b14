#include "publisher/watch/daemon/tree_look.hpp"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "core/text.hpp"
#include "publisher/release/tree_options.hpp"
#include "publisher/tree/no_links.hpp"
#include "schema/limits.hpp"

namespace lull::publisher::watch {

namespace {

constexpr std::size_t batch = 64 * 1024;  // bytes that are hashed at once
constexpr std::size_t most_shown = 400;

bool is_gone(int problem) { return problem == ENOENT || problem == ENOTDIR || problem == ELOOP; }

// An error of a path below the top: what is gone now was listed a moment ago.
Error error_of(std::string_view verb, fs::path const& path) {
    if (is_gone(errno))
        return {Fault::cancelled, fmt::format("{} changed during a look", quoted(path.string(), most_shown))};
    return fail_errno(verb, path).value();
}

class Looker {
public:
    Looker(fs::path const& root, TreeFinding& finding, Inotify const* inotify, std::stop_token const& stop)
        : root_(root),
          finding_(finding),
          inotify_(inotify),
          stop_(stop) {}

    Status look() {
        struct stat status {};
        if (lstat(root_.c_str(), &status) != 0) return fail_errno("look at", root_);
        if (!S_ISDIR(status.st_mode)) return fail(Fault::not_found, "{} is no directory", root_.string());
        add("", status, "");
        medium_ = is_medium(status);
        if (auto walked = walk(""); !walked) return walked;
        if (auto walked = look_at_references(); !walked) return walked;
        hash_.update(as_view(pending_));
        finding_.look.fingerprint = hash_.finish();
        return {};
    }

private:
    // Where ext4 keeps a directory that belongs to no release.
    bool is_medium(struct stat const& here) const {
        struct stat above {};
        return stat((root_ / "..").c_str(), &above) == 0 && above.st_dev != here.st_dev;
    }

    Status walk(std::string const& inside) {
        if (stop_.stop_requested()) return fail(Fault::cancelled, "looking at {} was stopped", root_.string());
        auto const directory = inside.empty() ? root_ : root_ / inside;
        watch(directory, inside);
        std::vector<std::string> below;
        if (auto listed = list(directory, inside, below); !listed) return listed;
        for (auto const& path : below) {
            if (auto walked = walk(path); !walked) return walked;
        }
        return {};
    }

    Status list(fs::path const& directory, std::string const& inside, std::vector<std::string>& below) {
        auto const opened = open_without_links(directory, O_RDONLY | O_DIRECTORY);
        if (!opened) return pass(error_of("open", directory));
        auto const& fd = *opened;
        auto names = names_in(fd.get(), directory);
        if (!names) return pass(names.error());
        std::ranges::sort(*names);
        for (auto const& name : *names) {
            auto path = inside.empty() ? name : inside + "/" + name;
            if (is_left_out(path)) continue;
            struct stat status {};
            if (fstatat(fd.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
                return pass(error_of("look at", root_ / path));
            if (auto noted = note(fd.get(), name, path, status); !noted) return noted;
            if (S_ISDIR(status.st_mode)) below.push_back(std::move(path));
        }
        return {};
    }

    static Result<std::vector<std::string>> names_in(int fd, fs::path const& directory) {
        std::unique_ptr<DIR, int (*)(DIR*)> const stream(fdopendir(dup(fd)), closedir);
        if (!stream) return fail_errno("list", directory);
        std::vector<std::string> names;
        errno = 0;
        while (dirent const* const entry = readdir(stream.get())) {
            std::string_view const name = entry->d_name;
            if (name != "." && name != "..") names.emplace_back(name);
        }
        if (errno != 0) return pass(error_of("list", directory));
        return names;
    }

    bool is_left_out(std::string const& path) const {
        if (path == options_file || path == version_file) return false;  // a change of these counts
        return is_of_publisher(path) || finding_.excludes.match(path) || (medium_ && path == "lost+found");
    }

    Status note(int fd, std::string const& name, std::string const& path, struct stat const& status) {
        if (++count_ > limits::files_per_manifest) {
            return fail(Fault::refused, "{} holds more than {} paths; split it into several pieces of software",
                        root_.string(), limits::files_per_manifest);
        }
        std::string target;
        if (S_ISLNK(status.st_mode)) {
            std::array<char, limits::path_bytes + 1> text{};
            auto const size = readlinkat(fd, name.c_str(), text.data(), text.size());
            if (size < 0) return pass(error_of("read the link", root_ / path));
            target.assign(text.data(), static_cast<std::size_t>(size));
        }
        add(path, status, target);
        if (!is_of_publisher(path)) finding_.look.empty = false;
        return {};
    }

    // Paths and targets hold no zero byte, so the end of each is clear; what follows has a fixed length for its type.
    void add(std::string_view path, struct stat const& status, std::string_view target) {
        pending_.append(path).append(1, '\0').append(target).append(1, '\0');
        add_number(status.st_mode);
        add_number(status.st_ino);
        if (path.empty()) add_number(status.st_dev);
        if (!S_ISDIR(status.st_mode)) {
            add_number(status.st_size);
            for (auto const& time : {status.st_mtim, status.st_ctim}) {
                add_number(time.tv_sec);
                add_number(time.tv_nsec);
            }
        }
        if (pending_.size() < batch) return;
        hash_.update(as_view(pending_));
        pending_.clear();
    }

    void add_number(auto value) {
        auto const wide = static_cast<std::uint64_t>(value);
        std::array<char, sizeof wide> bytes{};
        std::memcpy(bytes.data(), &wide, sizeof wide);
        pending_.append(bytes.data(), bytes.size());
    }

    // git describe depends on these. They are few, and the kernel does not watch them.
    Status look_at_references() {
        for (auto const* const name : {".git/HEAD", ".git/packed-refs"}) {
            struct stat status {};
            if (lstat((root_ / name).c_str(), &status) == 0) add(name, status, "");
        }
        std::error_code ignored;
        std::vector<std::string> references;
        for (fs::recursive_directory_iterator at(root_ / ".git/refs", ignored), end; !ignored && at != end;
             at.increment(ignored)) {
            references.push_back(at->path().string());
            if (++count_ > limits::files_per_manifest) break;
        }
        std::ranges::sort(references);
        for (auto const& reference : references) {
            struct stat status {};
            if (lstat(reference.c_str(), &status) == 0) add(reference, status, "");
        }
        return {};
    }

    // A directory that cannot be watched because it is gone shows when it is listed.
    void watch(fs::path const& directory, std::string const& inside) {
        if (inotify_ == nullptr || finding_.unwatched) return;
        auto const watch = inotify_->watch(directory);
        if (watch) {
            finding_.directories.push_back({*watch, inside});
        } else if (watch.error().fault == Fault::no_space) {
            finding_.unwatched = watch.error();
        }
    }

    fs::path const& root_;
    TreeFinding& finding_;
    Inotify const* inotify_;
    std::stop_token const& stop_;
    Sha256 hash_;
    std::string pending_;
    std::size_t count_ = 0;
    bool medium_ = false;
};

// A lull.conf that is wrong stops the publication, not the looks.
Excludes excludes_of(fs::path const& root) {
    auto const file = read_tree_file(root);
    if (!file) return {};
    auto options = tree_options_of(*file);
    return options ? std::move(options->excludes) : Excludes();
}

}  // namespace

Result<TreeFinding> look_at(fs::path const& root, Inotify const* inotify, std::stop_token const& stop) {
    TreeFinding finding;
    finding.excludes = excludes_of(root);
    finding.look.empty = true;
    if (auto looked = Looker(root, finding, inotify, stop).look(); !looked) return pass(std::move(looked.error()));
    return finding;
}

}  // namespace lull::publisher::watch
