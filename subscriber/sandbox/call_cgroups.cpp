#include "subscriber/sandbox/call_cgroups.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <sstream>
#include <vector>

namespace lull::subscriber {

namespace {

constexpr Bytes most_read = MiB(1);

Status write_setting(fs::path const& file, std::string const& text) {
    auto const handle = open_file(file, O_WRONLY);
    if (!handle) return pass(handle.error());
    if (write(handle->get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) return {};
    return fail_errno("write", file);
}

Result<std::string> read_text(fs::path const& file) {
    auto const bytes = read_file(file, most_read);
    if (!bytes) return pass(bytes.error());
    return std::string(as_text(*bytes));
}

std::vector<std::string> words_of(std::string const& text) {
    std::istringstream stream(text);
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    return words;
}

Status make_cgroup(fs::path const& place) {
    if (mkdir(place.c_str(), 0755) == 0 || errno == EEXIST) return {};
    return fail_errno("make the cgroup", place);
}

}  // namespace

std::optional<fs::path> cgroup_place(std::string_view membership, std::string_view mounts) {
    std::istringstream memberships{std::string(membership)};
    std::optional<std::string> own;
    for (std::string line; std::getline(memberships, line);) {
        if (line.starts_with("0::/")) own = line.substr(3);
    }
    std::istringstream lines{std::string(mounts)};
    for (std::string line; own && std::getline(lines, line);) {
        auto const words = words_of(line);
        auto const type = line.find(" - cgroup2 ");
        if (type == std::string::npos || words.size() < 5 || words[3] != "/") continue;
        return fs::path(words[4]) / fs::path(*own).relative_path();
    }
    return std::nullopt;
}

Result<CallCgroups> CallCgroups::open() {
    auto const membership = read_text("/proc/self/cgroup");
    auto const mounts = read_text("/proc/self/mountinfo");
    if (!membership) return pass(membership.error());
    if (!mounts) return pass(mounts.error());
    auto const place = cgroup_place(*membership, *mounts);
    if (!place) return fail(Fault::refused, "this machine has no cgroups of version 2");
    return open(*place, std::to_string(getpid()));
}

// Nothing may change for others: where they share this cgroup it was not delegated to us.
Result<CallCgroups> CallCgroups::open(fs::path place, std::string const& self) {
    auto const processes = read_text(place / "cgroup.procs");
    if (!processes) return pass(processes.error());
    if (words_of(*processes) != std::vector<std::string>{self}) {
        return fail(Fault::refused, "{} holds other processes too, so it is not delegated to this one (Delegate=yes)",
                    place.string());
    }
    auto const controllers = read_text(place / "cgroup.controllers");
    if (!controllers) return pass(controllers.error());
    for (auto const* needed : {"memory", "pids"}) {
        auto const found = words_of(*controllers);
        if (std::find(found.begin(), found.end(), needed) != found.end()) continue;
        return fail(Fault::refused, "{} has no controller '{}'", place.string(), needed);
    }
    if (auto made = make_cgroup(place / "daemon"); !made) return pass(made.error());
    if (auto moved = write_setting(place / "daemon" / "cgroup.procs", self); !moved) return pass(moved.error());
    if (auto given = write_setting(place / "cgroup.subtree_control", "+memory +pids"); !given)
        return pass(given.error());
    return CallCgroups(std::move(place));
}

Result<CallCgroup> CallCgroups::make(std::string const& name, CgroupLimits const& limits) const {
    auto const place = place_ / name;
    if (auto made = make_cgroup(place); !made) return pass(made.error());
    auto const set = [&](char const* setting, std::string const& value) {
        return write_setting(place / setting, value);
    };
    auto status = set("memory.max", std::to_string(limits.memory.count()));
    if (status) status = set("pids.max", std::to_string(limits.processes));
    // Where the kernel has no account of swap there is nothing to limit.
    if (status) static_cast<void>(set("memory.swap.max", "0"));
    if (status) static_cast<void>(set("memory.oom.group", "1"));
    auto processes = status ? open_file(place / "cgroup.procs", O_WRONLY) : pass(status.error());
    if (processes) return CallCgroup(place, *std::move(processes));
    static_cast<void>(rmdir(place.c_str()));
    return pass(processes.error());
}

CallCgroup::~CallCgroup() {
    if (!processes_.valid()) return;
    static_cast<void>(write_setting(place_ / "cgroup.kill", "1"));
    static_cast<void>(rmdir(place_.c_str()));
}

}  // namespace lull::subscriber
