#include "subscriber/proc/path_walk.hpp"

#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <vector>

namespace lull::subscriber {

namespace {

constexpr int most_steps = 256;  // names and links together: a path cannot lead us in circles
constexpr int most_links = 40;   // as the kernel has it
constexpr int most_tries = 2;

// Puts the names of a path before those that are still to be taken; the next one stands last.
void put_before(std::vector<std::string>& names, std::string_view path) {
    while (!path.empty()) {
        auto const slash = path.rfind('/');
        auto const name = slash == std::string_view::npos ? path : path.substr(slash + 1);
        if (!name.empty() && name != ".") names.emplace_back(name);
        path = slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
    }
}

// Somebody else's rename can spoil a look into the kernel's memory, which then says EAGAIN as for what is not there.
int open_name(int directory, std::string const& name, int flags, std::uint64_t resolve) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(O_PATH | O_CLOEXEC | flags);
    how.resolve = RESOLVE_NO_MAGICLINKS | resolve;
    int file = -1;
    for (int tries = 0; tries < most_tries && file < 0; ++tries) {
        file = static_cast<int>(syscall(SYS_openat2, directory, name.c_str(), &how, sizeof how));
        if (file < 0 && errno != EAGAIN) break;
    }
    return file;
}

std::optional<std::string> target_of(int link) {
    std::array<char, PATH_MAX> text{};
    auto const size = readlinkat(link, "", text.data(), text.size());
    if (size <= 0 || static_cast<std::size_t>(size) == text.size()) return std::nullopt;
    return std::string(text.data(), static_cast<std::size_t>(size));
}

}  // namespace

// A place on the way. `handle` is one of the process's two, or `own`.
struct PathWalk::Step {
    int handle = -1;
    FileDescriptor own;
    OpenedFile seen;
};

PathWalk::PathWalk(FileDescriptor root, FileDescriptor working_directory, dev_t trusted)
    : root_(std::move(root)),
      working_directory_(std::move(working_directory)),
      trusted_(trusted) {
    if (auto const top = root_.valid() ? identify(root_.get()) : std::nullopt) top_ = top->file;
}

// Disks have a major number of their own; what has none (0) may be anything.
bool PathWalk::may_ask(FileIdentity const& directory) const {
    return directory.device == trusted_ || major(directory.device) != 0;
}

std::optional<PathWalk::Step> PathWalk::enter(FileDescriptor const& directory) const {
    auto const seen = directory.valid() ? identify(directory.get()) : std::nullopt;
    if (!seen) return std::nullopt;
    return Step{directory.get(), {}, *seen};
}

std::optional<PathWalk::Step> PathWalk::take(Step const& from, std::string const& name) const {
    if (name == ".." && from.seen.file == top_) return enter(root_);
    FileDescriptor file(open_name(from.handle, name, O_NOFOLLOW, may_ask(from.seen.file) ? 0 : RESOLVE_CACHED));
    auto const seen = file.valid() ? identify(file.get()) : std::nullopt;
    if (!seen) return std::nullopt;
    int const handle = file.get();
    return Step{handle, std::move(file), *seen};
}

// Where the kernel has all of it in memory, one call does. Only from the root: that is where dots and links must not
// lead out.
PathWalk::Quick PathWalk::find_in_memory(std::string const& path) const {
    FileDescriptor const file(
        open_name(root_.get(), path, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_CACHED));
    if (!file.valid()) return {errno != EAGAIN && errno != EINVAL, std::nullopt};
    auto const seen = identify(file.get());
    return {true, seen ? std::optional(seen->file) : std::nullopt};
}

std::optional<FileIdentity> PathWalk::find(std::string_view path) const {
    if (path.empty()) return std::nullopt;
    if (path.front() == '/') {
        auto const quick = find_in_memory(std::string(path));
        if (quick.certain) return quick.file;
    }
    std::vector<std::string> names;
    put_before(names, path);
    auto at = enter(path.front() == '/' ? root_ : working_directory_);
    int links = 0;
    for (int steps = 0; at && !names.empty(); ++steps) {
        if (steps == most_steps) return std::nullopt;
        auto const name = std::move(names.back());
        names.pop_back();
        auto next = take(*at, name);
        if (!next || !next->seen.is_link) {
            at = std::move(next);
            continue;
        }
        if (++links > most_links || !may_ask(next->seen.file)) return std::nullopt;
        auto const target = target_of(next->handle);
        if (!target) return std::nullopt;
        if (target->front() == '/') at = enter(root_);
        put_before(names, *target);
    }
    return at ? std::optional(at->seen.file) : std::nullopt;
}

}  // namespace lull::subscriber
