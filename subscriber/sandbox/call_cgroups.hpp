#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/files.hpp"
#include "core/log.hpp"

namespace lull::subscriber {

// What the programs of one cgroup may take together.
struct CgroupLimits {
    Bytes memory;
    std::uint64_t processes = 0;
};

// A cgroup (version 2) of one program. When it goes, everything in it is killed, and it is removed.
class CallCgroup {
public:
    CallCgroup(fs::path place, FileDescriptor processes) : place_(std::move(place)), processes_(std::move(processes)) {}
    ~CallCgroup();
    CallCgroup(CallCgroup&& other) noexcept = default;
    CallCgroup& operator=(CallCgroup&& other) noexcept = delete;

    // For a process that joins by writing "0".
    [[nodiscard]] int processes() const { return processes_.get(); }

private:
    fs::path place_;  // empty: moved away
    FileDescriptor processes_;
};

// Makes cgroups below the one of this process, where that was delegated to it: `Delegate=yes` in its unit. The process
// itself moves into a cgroup "daemon" in there, because one with limits for its children may hold no process.
class CallCgroups {
public:
    // Fault::refused with the reason where that is impossible; the limits by setrlimit(2) hold all the same.
    [[nodiscard]] static Result<CallCgroups> open();
    // The same for a directory that looks like a cgroup, for tests. `self`: the process that moves.
    [[nodiscard]] static Result<CallCgroups> open(fs::path place, std::string const& self);

    [[nodiscard]] Result<CallCgroup> make(std::string const& name, CgroupLimits const& limits) const;

private:
    explicit CallCgroups(fs::path place) : place_(std::move(place)) {}

    fs::path place_;
};

// Where the cgroup of version 2 is mounted that holds this process, by the texts of /proc/self/cgroup and
// /proc/self/mountinfo. Nothing: there is none.
[[nodiscard]] std::optional<fs::path> cgroup_place(std::string_view membership, std::string_view mounts);

}  // namespace lull::subscriber
