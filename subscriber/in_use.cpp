#include "subscriber/in_use.hpp"

#include <dirent.h>
#include <poll.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <map>
#include <set>
#include <string>
#include <unordered_set>

#include "subscriber/process_stat.hpp"

namespace lull::subscriber {

namespace {

// A file, whatever its names are.
struct FileIdentity {
    dev_t device = 0;
    std::uint64_t inode = 0;
    auto operator<=>(FileIdentity const&) const = default;
};

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

// The file that `name` leads to, without asking a file server: a hanging one must not hang us.
std::optional<FileIdentity> identify(int directory, char const* name, int flags) {
    struct statx status {};
    if (statx(directory, name, flags | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &status) != 0) return std::nullopt;
    return FileIdentity{makedev(status.stx_dev_major, status.stx_dev_minor), status.stx_ino};
}

FileDescriptor open_at(int directory, char const* name, int flags) {
    return FileDescriptor(openat(directory, name, flags | O_CLOEXEC));
}

// The beginning of a small file in /proc; empty if it cannot be read.
std::string read_some(int directory, char const* name) {
    auto const file = open_at(directory, name, O_RDONLY);
    std::array<char, 4096> block{};
    auto const got = file.valid() ? read(file.get(), block.data(), block.size()) : -1;
    return got > 0 ? std::string(block.data(), static_cast<std::size_t>(got)) : std::string();
}

// Takes digits of `base` off the front of `text`.
std::optional<std::uint64_t> take_number(std::string_view& text, int base) {
    std::uint64_t value = 0;
    auto const [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (problem != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
    return value;
}

bool take_letter(std::string_view& text, char letter) {
    if (!text.starts_with(letter)) return false;
    text.remove_prefix(1);
    return true;
}

// Calls `visit` for each name in an open directory until it gives something else than Look::no.
template <class Visit>
Look each_name(FileDescriptor directory, Visit visit) {
    std::unique_ptr<DIR, int (*)(DIR*)> const stream(fdopendir(directory.get()), closedir);
    if (!stream) return look_after(errno);
    static_cast<void>(directory.release());
    errno = 0;
    while (dirent const* const entry = readdir(stream.get())) {
        if (auto const look = visit(entry->d_name); look != Look::no) return look;
        errno = 0;
    }
    return look_after(errno);
}

// The files and directories of a version, by identity.
class TreeFiles {
public:
    static Result<TreeFiles> read(Layout const& layout, ReleaseId const& release) {
        TreeFiles files;
        auto const tree = layout.tree(release);
        if (!files.add(tree)) return fail_errno("look at", tree);
        std::error_code problem;
        fs::recursive_directory_iterator entries(tree, problem);
        while (!problem && entries != fs::recursive_directory_iterator()) {
            if (!files.add(entries->path())) return fail_errno("look at", entries->path());
            entries.increment(problem);
        }
        if (problem) return fail(Fault::failed, "cannot list {}: {}", tree.string(), problem.message());
        files.lock_ = identify(AT_FDCWD, layout.lock(release).c_str(), AT_SYMLINK_NOFOLLOW);
        return files;
    }

    [[nodiscard]] bool has(FileIdentity const& file) const { return files_.contains(file); }
    [[nodiscard]] bool has_inode(std::uint64_t inode) const { return inodes_.contains(inode); }
    [[nodiscard]] bool is_lock(FileIdentity const& file) const { return lock_ == file; }

private:
    bool add(fs::path const& path) {
        auto const file = identify(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW);
        if (!file) return false;
        files_.insert(*file);
        inodes_.insert(file->inode);
        return true;
    }

    std::set<FileIdentity> files_;
    std::unordered_set<std::uint64_t> inodes_;
    std::optional<FileIdentity> lock_;
};

// One process, by a descriptor of its directory in /proc: a later process of the same pid is never taken for it.
class Process {
public:
    Process(FileDescriptor directory, TreeFiles const& tree) : directory_(std::move(directory)), tree_(tree) {}

    // Whether it uses the tree; `refused` if that could not be seen in full.
    [[nodiscard]] Look uses_tree() const {
        auto result = Look::no;
        auto const settled = [&](Look look) {
            if (look != Look::no) result = look;
            return look == Look::yes || look == Look::gone;
        };
        for (auto const name : {"exe", "cwd", "root"}) {
            if (settled(link(name))) return result;
        }
        if (!settled(mappings())) static_cast<void>(settled(descriptors()));
        return result;
    }

private:
    [[nodiscard]] Look link(char const* name) const {
        auto const file = identify(directory_.get(), name, 0);
        if (!file) return look_after(errno);
        return tree_.has(*file) ? Look::yes : Look::no;
    }

    // "7f2a1c000000-7f2a1c021000 r-xp 00000000 08:01 131 /path": device in hexadecimal, inode in decimal.
    [[nodiscard]] Look mapping(std::string_view line) const {
        auto const range_end = line.find(' ');
        if (range_end == std::string_view::npos) return Look::no;
        auto const range = std::string(line.substr(0, range_end));
        auto rest = line.substr(range_end);
        for (int column = 0; column < 2; ++column) {  // permissions, offset
            take_letter(rest, ' ');
            rest.remove_prefix(std::min(rest.find(' '), rest.size()));
        }
        take_letter(rest, ' ');
        auto const major = take_number(rest, 16);
        if (!major || !take_letter(rest, ':')) return Look::no;
        auto const minor = take_number(rest, 16);
        if (!minor || !take_letter(rest, ' ')) return Look::no;
        auto const inode = take_number(rest, 10);
        if (!inode || !tree_.has_inode(*inode)) return Look::no;
        auto const device = makedev(static_cast<unsigned>(*major), static_cast<unsigned>(*minor));
        if (tree_.has({device, *inode})) return Look::yes;
        // On btrfs and overlayfs the device of a mapping is not the one that stat reports; the mapping's own link
        // tells.
        auto const file = identify(directory_.get(), ("map_files/" + range).c_str(), 0);
        if (!file) return look_after(errno);
        return tree_.has(*file) ? Look::yes : Look::no;
    }

    [[nodiscard]] Look mappings() const {
        auto const file = open_at(directory_.get(), "maps", O_RDONLY);
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

    [[nodiscard]] Look descriptors() const {
        auto fds = open_at(directory_.get(), "fd", O_RDONLY | O_DIRECTORY);
        if (!fds.valid()) return look_after(errno);
        int const handle = fds.get();
        return each_name(std::move(fds), [&](char const* name) {
            auto const file = identify(handle, name, 0);
            if (!file) return errno == ENOENT ? Look::no : look_after(errno);
            if (tree_.has(*file)) return Look::yes;
            return tree_.is_lock(*file) && holds_lock(name) ? Look::yes : Look::no;
        });
    }

    // A launcher that still waits for the lock has the file open as well, but uses nothing yet.
    [[nodiscard]] bool holds_lock(char const* descriptor) const {
        auto const info = read_some(directory_.get(), (std::string("fdinfo/") + descriptor).c_str());
        return info.find("\nlock:") != std::string::npos;
    }

    FileDescriptor directory_;
    TreeFiles const& tree_;
};

// The real user: the second word of the line "Uid:".
std::uint64_t user_id(std::string_view status) {
    constexpr std::string_view label = "\nUid:\t";
    auto const at = status.find(label);
    if (at == std::string_view::npos) return 0;
    status.remove_prefix(at + label.size());
    return take_number(status, 10).value_or(0);
}

std::string user_name(std::uint64_t uid) {
    std::vector<char> text(1024);
    passwd entry{};
    passwd* found = nullptr;
    while (getpwuid_r(static_cast<uid_t>(uid), &entry, text.data(), text.size(), &found) == ERANGE &&
           text.size() < MiB(1).count()) {
        text.resize(text.size() * 2);
    }
    return found != nullptr ? printable(found->pw_name) : std::to_string(uid);
}

// Nothing if the process is gone.
Result<std::optional<Holder>> describe(int directory, fs::path const& proc, std::uint64_t pid) {
    auto const stat = read_process_stat(proc, pid);
    if (!stat) return pass(stat.error());
    auto const status = read_some(directory, "status");
    auto command = read_some(directory, "comm");
    if (!*stat || status.empty()) return std::nullopt;
    if (command.ends_with('\n')) command.pop_back();
    Holder holder;
    holder.pid = pid;
    holder.uid = user_id(status);
    holder.user = user_name(holder.uid);
    holder.command = printable(command);
    holder.since = (*stat)->started;
    return holder;
}

// The processes that `proc` shows.
Result<std::vector<std::uint64_t>> processes(fs::path const& proc) {
    auto directory = open_file(proc, O_RDONLY | O_DIRECTORY);
    if (!directory) return pass(directory.error());
    std::vector<std::uint64_t> pids;
    each_name(*std::move(directory), [&](std::string_view name) {
        if (auto const pid = take_number(name, 10); pid && name.empty()) pids.push_back(*pid);
        return Look::no;
    });
    std::sort(pids.begin(), pids.end());
    if (!std::binary_search(pids.begin(), pids.end(), static_cast<std::uint64_t>(getpid()))) {
        return fail(Fault::failed,
                    "cannot see who uses what: {} does not show this process; mount proc there for this PID namespace",
                    proc.string());
    }
    return pids;
}

}  // namespace

Result<UseScan> find_holders(Layout const& layout, ReleaseId const& release, fs::path const& proc) {
    auto const tree = TreeFiles::read(layout, release);
    if (!tree) return pass(tree.error());
    auto const pids = processes(proc);
    if (!pids) return pass(pids.error());
    UseScan scan;
    for (auto const pid : *pids) {
        if (pid == static_cast<std::uint64_t>(getpid())) continue;
        auto directory = open_at(AT_FDCWD, (proc / std::to_string(pid)).c_str(), O_RDONLY | O_DIRECTORY);
        if (!directory.valid()) {
            scan.unreadable += look_after(errno) == Look::refused ? 1 : 0;
            continue;
        }
        int const handle = directory.get();
        Process const process(std::move(directory), *tree);
        auto const look = process.uses_tree();
        if (look == Look::refused) ++scan.unreadable;
        if (look != Look::yes) continue;
        auto holder = describe(handle, proc, pid);
        if (!holder) return pass(holder.error());
        if (*holder) scan.holders.push_back(**std::move(holder));
    }
    return scan;
}

struct HolderWatch::State {
    // A process is its pid and its start.
    using Key = std::pair<std::uint64_t, WallTime>;
    struct Followed {
        Holder holder;
        FileDescriptor process;  // none: it had ended before it could be followed
        std::optional<EventLoop::WatchId> watch;
    };

    State(EventLoop& owner, Exited handler) : loop(owner), exited(std::move(handler)) {}

    void forget(Followed const& process) {
        if (process.watch) loop.unwatch(*process.watch);
    }

    void end(Key const& key) {
        auto const found = followed.find(key);
        if (found == followed.end()) return;
        forget(found->second);
        auto const holder = std::move(found->second.holder);
        followed.erase(found);
        auto const tell = exited;  // which may destroy the watch
        tell(holder);
    }

    EventLoop& loop;
    Exited exited;
    std::map<Key, Followed> followed;
};

HolderWatch::HolderWatch(EventLoop& loop, Exited exited)
    : state_(std::make_shared<State>(loop, std::move(exited))) {}

HolderWatch::~HolderWatch() {
    for (auto const& [key, process] : state_->followed) state_->forget(process);
    state_->followed.clear();
}

Status HolderWatch::follow(std::vector<Holder> const& holders) {
    std::map<State::Key, State::Followed> next;
    for (auto const& holder : holders) {
        State::Key const key{holder.pid, holder.since};
        if (auto known = state_->followed.extract(key)) {
            next.insert(std::move(known));
            continue;
        }
        State::Followed fresh{holder, {}, std::nullopt};
        fresh.process.reset(static_cast<int>(syscall(SYS_pidfd_open, static_cast<pid_t>(holder.pid), 0)));
        if (!fresh.process.valid() && errno != ESRCH) {
            auto error = fail_errno("follow process", std::to_string(holder.pid));
            for (auto& entry : next) state_->followed.insert(std::move(entry));
            return error;
        }
        // Read after the descriptor was opened: it may be another process by now.
        auto const stat = read_process_stat("/proc", holder.pid);
        if (!stat || !*stat || (*stat)->started != holder.since) fresh.process.reset();
        auto const end = [state = state_, key] { state->end(key); };
        if (fresh.process.valid()) {
            fresh.watch = state_->loop.watch(fresh.process.get(), POLLIN, end);
        } else {
            state_->loop.post(end);
        }
        next.emplace(key, std::move(fresh));
    }
    for (auto const& [key, process] : state_->followed) state_->forget(process);
    state_->followed = std::move(next);
    return {};
}

std::size_t HolderWatch::count() const {
    return state_->followed.size();
}

}  // namespace lull::subscriber
