#include "subscriber/usage/in_use.hpp"

#include <poll.h>
#include <pwd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <string>

#include "subscriber/proc/own_files.hpp"
#include "subscriber/proc/proc_files.hpp"
#include "subscriber/proc/process_stat.hpp"

namespace lull::subscriber {

namespace {

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

// Whether it is a process of this one, which has executed nothing since it was forked: such a one watches over a
// program of a release and ends with it, or with us.
bool is_forked_here(int directory, fs::path const& proc, std::uint64_t pid) {
    constexpr int most_generations = 4;
    for (int i = 0; i < most_generations; ++i) {
        if (i == 0 && !runs_own_program(directory)) return false;
        auto const stat = read_process_stat(proc, pid);
        if (!stat || !*stat) return false;
        pid = (*stat)->parent;
        if (pid == static_cast<std::uint64_t>(getpid())) return true;
    }
    return false;
}

// The processes that `proc` shows.
Result<std::vector<std::uint64_t>> processes(fs::path const& proc) {
    auto directory = open_file(proc, O_RDONLY | O_DIRECTORY);
    if (!directory) return pass(directory.error());
    std::vector<std::uint64_t> pids;
    bool const all = each_name(*std::move(directory), [&](std::string_view name) {
        if (auto const pid = take_number(name, 10); pid && name.empty()) pids.push_back(*pid);
    });
    if (!all) return fail_errno("list", proc);
    std::sort(pids.begin(), pids.end());
    if (!std::binary_search(pids.begin(), pids.end(), static_cast<std::uint64_t>(getpid()))) {
        return fail(Fault::failed,
                    "cannot see who uses what: {} does not show this process; mount proc there for this PID namespace",
                    proc.string());
    }
    return pids;
}

}  // namespace

Result<UseScan> find_holders(Layout const& layout, ReleaseId const& release, fs::path const& proc, LookDepth depth) {
    auto const tree = TreeFiles::read(layout, release);
    if (!tree) return pass(tree.error());
    auto const pids = processes(proc);
    if (!pids) return pass(pids.error());
    UseScan scan;
    for (auto const pid : *pids) {
        if (pid == static_cast<std::uint64_t>(getpid())) continue;
        auto const directory = open_at(AT_FDCWD, (proc / std::to_string(pid)).c_str(), O_RDONLY | O_DIRECTORY);
        if (!directory.valid()) {
            scan.unreadable += errno == EACCES || errno == EPERM ? 1 : 0;
            continue;
        }
        auto look = inspect_process(directory.get(), *tree, depth);
        if (look.signs.empty()) {
            scan.unreadable += look.refused ? 1 : 0;
            continue;
        }
        if (is_forked_here(directory.get(), proc, pid)) continue;
        auto holder = describe(directory.get(), proc, pid);
        if (!holder) return pass(holder.error());
        if (!*holder) continue;
        scan.holders.push_back(**std::move(holder));
        scan.signs.push_back(std::move(look.signs));
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

HolderWatch::HolderWatch(EventLoop& loop, Exited exited) : state_(std::make_shared<State>(loop, std::move(exited))) {}

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

std::size_t HolderWatch::count() const { return state_->followed.size(); }

}  // namespace lull::subscriber
