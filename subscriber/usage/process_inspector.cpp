#include "subscriber/usage/process_inspector.hpp"

#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "subscriber/proc/command_line_paths.hpp"
#include "subscriber/proc/path_walk.hpp"
#include "subscriber/proc/proc_files.hpp"

namespace lull::subscriber {

namespace {

// What a look at one thing of a process gave. `gone` is the whole process.
enum class Look { no, yes, refused, gone };

Look look_after(int number) {
    switch (number) {
        case ESRCH: return Look::gone;
        case EACCES:
        case EPERM: return Look::refused;
        // No such thing in this process (a kernel thread has no program), or a dead file system.
        default: return Look::no;
    }
}

void take_letter(std::string_view& text, char letter) {
    if (text.starts_with(letter)) text.remove_prefix(1);
}

// What a line of /proc/PID/maps says: "7f2a1c000000-7f2a1c021000 r-xp 00000000 08:01 131 /path", device in hexadecimal,
// inode in decimal.
struct Mapping {
    std::string_view range;
    FileIdentity file;
};

std::optional<Mapping> parse_mapping(std::string_view line) {
    auto const range = line.substr(0, line.find(' '));
    auto rest = line.substr(range.size());
    for (int column = 0; column < 2; ++column) {  // permissions, offset
        take_letter(rest, ' ');
        rest.remove_prefix(std::min(rest.find(' '), rest.size()));
    }
    take_letter(rest, ' ');
    auto const major = take_number(rest, 16);
    take_letter(rest, ':');
    auto const minor = take_number(rest, 16);
    take_letter(rest, ' ');
    auto const inode = take_number(rest, 10);
    if (!major || !minor || !inode) return std::nullopt;
    return Mapping{range, {makedev(static_cast<unsigned>(*major), static_cast<unsigned>(*minor)), *inode}};
}

class Process {
public:
    Process(int directory, TreeFiles const& tree, LookDepth depth)
        : directory_(directory),
          tree_(tree),
          depth_(depth) {}

    // Links, mappings and descriptors are refused together: then its command line is what is left to see.
    [[nodiscard]] ProcessInspection look() {
        errno = 0;
        note(link("exe"), UsageKind::program);
        if (errno == ENOENT) return {};  // a kernel's thread, or a process that has ended
        if (!seen_.refused) {
            note(link("cwd"), UsageKind::working_directory);
            note(link("root"), UsageKind::root);
            if (depth_ == LookDepth::full) note(mappings(), UsageKind::mapping);
            look_at_descriptors();
        }
        if (gone_) return {};
        note(arguments(), UsageKind::argument);
        return std::move(seen_);
    }

private:
    void note(Look look, UsageKind sign) {
        if (look == Look::yes) seen_.signs.insert(sign);
        seen_.refused = seen_.refused || look == Look::refused;
        gone_ = gone_ || look == Look::gone;
    }

    [[nodiscard]] Look link(char const* name) const {
        auto const file = identify(directory_, name, 0);
        if (!file) return look_after(errno);
        return tree_.has(*file) ? Look::yes : Look::no;
    }

    [[nodiscard]] Look mapping(std::string_view line) const {
        auto const mapping = parse_mapping(line);
        if (!mapping || !tree_.has_inode(mapping->file.inode)) return Look::no;
        if (tree_.has(mapping->file)) return Look::yes;
        // On btrfs and overlayfs the device of a mapping is not the one that stat reports; the mapping's own link
        // tells.
        return link(("map_files/" + std::string(mapping->range)).c_str());
    }

    [[nodiscard]] Look mappings() const {
        auto const file = open_at(directory_, "maps", O_RDONLY);
        if (!file.valid()) return look_after(errno);
        std::string waiting;  // the part of a line that was read
        std::array<char, 65536> block{};
        auto result = Look::no;
        while (true) {
            auto const got = ::read(file.get(), block.data(), block.size());
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return look_after(errno);
            if (got == 0) return result;
            waiting.append(block.data(), static_cast<std::size_t>(got));
            std::size_t begin = 0;
            for (auto end = waiting.find('\n'); end != std::string::npos; end = waiting.find('\n', begin)) {
                auto const look = mapping(std::string_view(waiting).substr(begin, end - begin));
                if (look == Look::yes || look == Look::gone) return look;
                if (look == Look::refused) result = look;
                begin = end + 1;
            }
            waiting.erase(0, begin);
        }
    }

    void look_at_descriptors() {
        auto fds = open_at(directory_, "fd", O_RDONLY | O_DIRECTORY);
        int const handle = fds.get();
        bool const all = fds.valid() && each_name(std::move(fds), [&](char const* name) {
                             if (name[0] == '.') return;
                             auto const file = identify(handle, name, 0);
                             if (!file && errno != ENOENT) note(look_after(errno), UsageKind::open_file);
                             if (file && tree_.has(*file)) note(Look::yes, UsageKind::open_file);
                             if (file && tree_.is_lock(*file) && holds_lock(name)) note(Look::yes, UsageKind::lock);
                         });
        if (!all) note(look_after(errno), UsageKind::open_file);
    }

    // A launcher that still waits for the lock has the file open as well, but uses nothing yet.
    [[nodiscard]] bool holds_lock(char const* descriptor) const {
        auto const info = read_some(directory_, (std::string("fdinfo/") + descriptor).c_str());
        return info.find("\nlock:") != std::string::npos;
    }

    // Interpreters close a script when they have read it; it still stands on their command line. Where a process's root
    // is not to be seen it is most probably ours.
    [[nodiscard]] Look arguments() const {
        auto const command_line = read_some(directory_, "cmdline", most_argument_bytes);
        auto const paths = command_line_paths(command_line);
        if (paths.empty()) return Look::no;
        auto const enter = [this](char const* name) { return open_at(directory_, name, O_PATH | O_DIRECTORY); };
        auto root = enter("root");
        if (!root.valid() && look_after(errno) == Look::refused) root = open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
        PathWalk const walk(std::move(root), enter("cwd"), tree_.device());
        bool const named = std::ranges::any_of(paths, [&](std::string_view path) {
            auto const file = walk.find(path);
            return file && tree_.has(*file);
        });
        return named ? Look::yes : Look::no;
    }

    int directory_;
    TreeFiles const& tree_;
    LookDepth depth_;
    ProcessInspection seen_;
    bool gone_ = false;
};

}  // namespace

ProcessInspection inspect_process(int directory, TreeFiles const& tree, LookDepth depth) {
    return Process(directory, tree, depth).look();
}

}  // namespace lull::subscriber
