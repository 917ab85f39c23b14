#include "subscriber/sandbox/sandbox_command.hpp"

namespace lull::subscriber {

namespace {

class Options {
public:
    template <class... Words>
    void add(Words const&... words) {
        (append(words), ...);
    }
    [[nodiscard]] std::string text() && { return std::move(text_); }

private:
    void append(std::string_view word) {
        text_ += word;
        text_ += '\0';
    }
    std::string text_;
};

void add_memory(Options& options, std::string const& place, Bytes size) {
    options.add("--size", std::to_string(size.count()), "--tmpfs", place);
}

}  // namespace

// Mounts happen in the order of the options. /dev and / are file systems in memory without a bound, so they are
// read-only.
std::string sandbox_options(SandboxRequest const& request, SystemPaths const& system,
                            SandboxDescriptors const& descriptors) {
    Options options;
    options.add("--unshare-all", "--unshare-user", "--disable-userns");
    if (request.network == NetworkAccess::host) options.add("--share-net");
    options.add("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "sandbox");
    if (descriptors.filter >= 0) options.add("--seccomp", std::to_string(descriptors.filter));
    options.add("--json-status-fd", std::to_string(descriptors.status));
    for (auto const& name : system.directories) options.add("--ro-bind", name, name);
    for (auto const& name : system.files) options.add("--ro-bind", name, name);
    for (auto const& [name, target] : system.links) options.add("--symlink", target, name);
    options.add("--ro-bind", request.tree.string(), sandbox_tree);
    add_memory(options, "/tmp", request.limits.scratch);
    options.add("--proc", "/proc", "--dev", "/dev");
    add_memory(options, "/dev/shm", request.limits.scratch);
    options.add("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp");
    return std::move(options).text();
}

// The number of processes is limited inside: there it counts those of this sandbox alone.
std::vector<std::string> sandbox_command(SandboxRequest const& request, SandboxDescriptors const& descriptors) {
    std::vector<std::string> words = {"--args",
                                      std::to_string(descriptors.arguments),
                                      "--",
                                      "/usr/bin/prlimit",
                                      fmt::format("--nproc={0}:{0}", request.limits.processes),
                                      fmt::format("{}/{}", sandbox_tree, request.program)};
    words.insert(words.end(), request.arguments.begin(), request.arguments.end());
    return words;
}

}  // namespace lull::subscriber
