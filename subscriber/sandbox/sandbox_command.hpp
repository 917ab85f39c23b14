#pragma once

#include <string>
#include <vector>

#include "core/units.hpp"
#include "subscriber/sandbox/system_paths.hpp"

namespace lull::subscriber {

// Whether a program reaches the network of this machine.
enum class NetworkAccess { none, host };

// What one program may take. What exceeds it fails inside the program, or ends it.
struct SandboxLimits {
    Bytes memory = MiB(512);           // private memory of each process; of all together where there is a cgroup
    Bytes scratch = MiB(256);          // /tmp, and as much again for /dev/shm
    std::uint64_t processes = 64;      // threads count
    std::uint64_t descriptors = 1024;  // of each process
    Duration time = std::chrono::minutes(10);
    Bytes output = GiB(4);  // both outputs together

    bool operator==(SandboxLimits const&) const = default;
};

// One program to run in the sandbox.
struct SandboxRequest {
    fs::path tree;                         // of the version: appears as /app
    std::string program;                   // path in the tree
    std::vector<std::string> arguments;    // without the program's name
    std::vector<std::string> environment;  // NAME=value, besides PATH, HOME and LANG
    NetworkAccess network = NetworkAccess::none;
    unsigned slot = 0;  // programs that run at a time have different ones
    SandboxLimits limits{};
};

// Numbers under which bubblewrap finds what it reads and writes.
struct SandboxDescriptors {
    int arguments = 5;
    int filter = 6;  // -1: none
    int status = 7;
};

inline constexpr char const* sandbox_tree = "/app";

// The options of bubblewrap, for --args: separated by NUL.
[[nodiscard]] std::string sandbox_options(SandboxRequest const& request, SystemPaths const& system,
                                          SandboxDescriptors const& descriptors);
// The command line of bubblewrap: the program with its arguments behind `--`.
[[nodiscard]] std::vector<std::string> sandbox_command(SandboxRequest const& request,
                                                       SandboxDescriptors const& descriptors);

}  // namespace lull::subscriber
