#include "subscriber/install/lost_found.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <functional>

#include "core/text.hpp"
#include "subscriber/tree/writable_directory.hpp"
#include "subscriber/usage/in_use.hpp"
#include "subscriber/usage/lease_probe.hpp"

namespace lull::subscriber {

namespace {

constexpr std::size_t most_looked_at = 100'000;  // paths of one stray directory, or of lost+found
constexpr std::size_t most_shown = 300;
constexpr std::uint64_t disk_unit = 512;  // of st_blocks

// Sorts as time does.
std::string stamp(WallTime now) {
    auto const seconds = static_cast<time_t>(now.micros / 1'000'000);
    std::tm parts{};
    std::array<char, 32> text{};
    if (gmtime_r(&seconds, &parts) == nullptr) return "0";
    return std::string(text.data(), std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &parts));
}

// What a path and all below it are.
struct Extent {
    Bytes size{};
    bool has_special = false;  // a socket or FIFO
    bool whole = true;         // all of it was seen
};

void add(Extent& extent, fs::path const& path) {
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0) return;
    extent.size += Bytes(static_cast<std::uint64_t>(status.st_blocks) * disk_unit);
    extent.has_special |= S_ISSOCK(status.st_mode) || S_ISFIFO(status.st_mode);
}

Extent extent_of(fs::path const& path) {
    Extent extent;
    add(extent, path);
    std::error_code problem;
    std::size_t seen = 0;
    if (!fs::is_directory(fs::symlink_status(path, problem))) return extent;
    for (fs::recursive_directory_iterator entry(path, problem), end; !problem && entry != end;
         entry.increment(problem)) {
        add(extent, entry->path());
        if (++seen == most_looked_at) break;
    }
    extent.whole = !problem && seen < most_looked_at;
    return extent;
}

// Moves what is no part of one release.
class Moving {
public:
    Moving(Layout const& layout, ReleaseId const& release, WallTime now, LostBounds const& bounds)
        : layout_(layout),
          release_(release),
          bounds_(bounds),
          batch_(layout.lost(release.software) / fmt::format("{}-{}", stamp(now), release.directory_name())) {}

    StraysMoved run(std::vector<std::string> const& paths) {
        auto const tree = open_file(layout_.tree(release_), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (!tree) return {{}, {tree.error().message}};
        StraysMoved outcome;
        for (auto const& path : paths) {
            auto why = why_to_keep(path);
            if (why.empty()) why = move(tree->get(), path);
            if (why.empty()) {
                outcome.moved.push_back(shown(path));
            } else {
                outcome.kept.push_back(fmt::format("{} ({})", shown(path), why));
            }
        }
        return outcome;
    }

private:
    static std::string shown(std::string const& path) {
        auto const text = quoted(path, most_shown);
        return text.substr(1, text.size() - 2);
    }

    // Empty if it may be moved.
    std::string why_to_keep(std::string const& path) {
        auto const full = layout_.tree(release_) / path;
        auto const extent = extent_of(full);
        if (!extent.whole) return "it holds too many paths to be moved";
        if (extent.size > bounds_.size) return fmt::format("larger than {}", to_text(bounds_.size));
        if (extent.has_special && is_version_used()) return "a socket or FIFO of a version in use";
        auto const open = find_open_file(full);
        if (!open) return open.error().message;
        return *open ? "a process has it open" : "";
    }

    bool is_version_used() {
        if (!used_) {
            auto const scan = find_holders(layout_, release_);
            used_ = !scan || !scan->holders.empty() || scan->unreadable > 0;
        }
        return *used_;
    }

    // Empty if it was moved.
    std::string move(int tree, std::string const& path) {
        auto const relative = fs::path(path);
        auto const parent = open_within(tree, relative.has_parent_path() ? relative.parent_path() : fs::path("."),
                                        O_RDONLY | O_DIRECTORY);
        if (!parent) return parent.error().message;
        auto const target = batch_ / relative;
        if (auto made = make_directories(target.parent_path(), 0700); !made) return made.error().message;
        WritableDirectory const writable(parent->get());
        auto const name = relative.filename();
        if (renameat2(parent->get(), name.c_str(), AT_FDCWD, target.c_str(), RENAME_NOREPLACE) != 0)
            return fail_errno("move", layout_.tree(release_) / path).value().message;
        sync_directory_or_die(target.parent_path());
        sync_file_or_die(parent->get(), (layout_.tree(release_) / path).parent_path());
        return {};
    }

    Layout const& layout_;
    ReleaseId const& release_;
    LostBounds const& bounds_;
    fs::path batch_;
    std::optional<bool> used_;
};

// When a batch was moved; nothing if this is none.
std::optional<std::int64_t> time_of(fs::path const& batch) {
    struct stat status {};
    if (lstat(batch.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return std::nullopt;
    std::tm parts{};
    auto const name = batch.filename().string();
    if (strptime(name.c_str(), "%Y%m%dT%H%M%SZ", &parts) == nullptr)
        return std::int64_t{status.st_ctim.tv_sec} * 1'000'000;
    return std::int64_t{timegm(&parts)} * 1'000'000;
}

}  // namespace

StraysMoved move_strays(Layout const& layout, ReleaseId const& release, std::vector<std::string> const& paths,
                        WallTime now, LostBounds const& bounds) {
    return Moving(layout, release, now, bounds).run(paths);
}

std::vector<std::string> trim_lost(Layout const& layout, SoftwareName const& software, WallTime now,
                                   LostBounds const& bounds) {
    auto const names = names_in(layout.lost(software));
    std::vector<std::string> deleted;
    if (!names) return deleted;
    Bytes kept{};
    for (auto name = names->rbegin(); name != names->rend(); ++name) {
        auto const batch = layout.lost(software) / *name;
        auto const time = time_of(batch);
        if (!time) continue;
        kept += extent_of(batch).size;
        if (kept <= bounds.size && now.micros - *time <= bounds.age) continue;
        if (remove_tree(batch)) deleted.push_back(*name);
    }
    return deleted;
}

std::vector<std::string> list_lost(Layout const& layout, SoftwareName const& software, std::size_t most) {
    auto const lost = layout.lost(software);
    auto const batches = names_in(lost);
    std::vector<std::string> paths;
    if (!batches) return paths;
    for (auto batch = batches->rbegin(); batch != batches->rend(); ++batch) {
        std::error_code problem;
        for (fs::recursive_directory_iterator entry(lost / *batch, problem), end; !problem && entry != end;
             entry.increment(problem)) {
            if (fs::is_directory(entry->symlink_status())) continue;
            if (paths.size() == most) return paths;
            paths.push_back(entry->path().native().substr(lost.native().size() + 1));
        }
    }
    return paths;
}

}  // namespace lull::subscriber
