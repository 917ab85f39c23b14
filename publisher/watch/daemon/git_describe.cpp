#include "publisher/watch/daemon/git_describe.hpp"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace lull::publisher::watch {

namespace {

constexpr auto time_limit = std::chrono::minutes(1);
constexpr int between_looks = 100;  // milliseconds
constexpr std::size_t most_output = 4096;

struct Pipe {
    FileDescriptor read;
    FileDescriptor write;
};

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno("make a pipe for", "git");
    return Pipe{FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

// A program that runs; it is killed with this object unless it has ended.
class Child {
public:
    explicit Child(pid_t pid) : pid_(pid) {}
    ~Child() {
        if (pid_ < 0) return;
        (void)kill(pid_, SIGKILL);
        (void)wait();
    }
    Child(Child const&) = delete;
    Child& operator=(Child const&) = delete;

    int wait() {
        int status = 0;
        while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {}
        pid_ = -1;
        return status;
    }

private:
    pid_t pid_;
};

// The repository of the tree itself and no other; nothing is written, no program of its configuration runs.
std::vector<std::string> environment_for(fs::path const& tree) {
    std::vector<std::string> environment = {"GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
                                            "GIT_CEILING_DIRECTORIES=" + tree.parent_path().string()};
    for (auto const* const name : {"PATH", "HOME", "XDG_CONFIG_HOME"}) {
        if (char const* const value = std::getenv(name)) environment.push_back(std::string(name) + "=" + value);
    }
    return environment;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> pointers;
    for (auto& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    return pointers;
}

// Fault::not_found if there is no such program.
Result<pid_t> spawn(std::vector<std::string> words, std::vector<std::string> environment, int output) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    pid_t pid = -1;
    int const problem = posix_spawnp(&pid, words.front().c_str(), &actions, &attributes, pointers(words).data(),
                                     pointers(environment).data());
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (problem == 0) return pid;
    errno = problem;
    return fail_errno("run", words.front());
}

// Everything until the end of the output.
Result<std::string> read_all(int fd, std::stop_token const& stop) {
    auto const deadline = std::chrono::steady_clock::now() + time_limit;
    std::string text;
    std::array<char, 1024> block{};
    while (true) {
        if (stop.stop_requested()) return fail(Fault::cancelled, "git describe was stopped");
        if (std::chrono::steady_clock::now() > deadline)
            return fail(Fault::failed, "git describe took longer than a minute");
        pollfd polled{fd, POLLIN, 0};
        if (poll(&polled, 1, between_looks) <= 0) continue;
        auto const size = read(fd, block.data(), block.size());
        if (size == 0) return text;
        if (size < 0 && errno != EINTR) return fail_errno("read the output of", "git");
        if (size > 0 && text.size() < most_output) text.append(block.data(), static_cast<std::size_t>(size));
    }
}

bool tells_of_no_tag(std::string const& text) {
    for (auto const* const part : {"No names found", "No tags can describe", "Not a valid object name HEAD"}) {
        if (text.find(part) != std::string::npos) return true;
    }
    return false;
}

struct GitOutput {
    int status = 0;  // as waitpid(2) says it
    std::string text;
};

Result<GitOutput> run_git(fs::path const& tree, std::vector<std::string> const& words, std::stop_token const& stop) {
    auto pipe = make_pipe();
    if (!pipe) return pass(pipe.error());
    std::vector<std::string> call{"git", "-c", "core.fsmonitor=false", "-C", tree.string()};
    call.insert(call.end(), words.begin(), words.end());
    auto const pid = spawn(std::move(call), environment_for(tree), pipe->write.get());
    if (!pid) {
        return fail(Fault::failed,
                    "{}; {} is a git work tree: install git, or write the version into its file .lull-version",
                    pid.error().message, tree.string());
    }
    Child child(*pid);
    pipe->write.reset();
    auto text = read_all(pipe->read.get(), stop);
    if (!text) return pass(text.error());
    return GitOutput{child.wait(), *std::move(text)};
}

bool succeeded(GitOutput const& output) { return WIFEXITED(output.status) && WEXITSTATUS(output.status) == 0; }

// git has changed files filtered by programs of the configuration (gitattributes(5), filter) before it compares them.
// A filter without a program leaves the file as it is.
Result<std::vector<std::string>> without_filters(fs::path const& tree, std::stop_token const& stop) {
    auto const listed = run_git(
        tree, {"config", "--name-only", "--get-regexp", "^filter\\..*\\.(clean|process|required)$"}, stop);
    if (!listed) return pass(listed.error());
    std::vector<std::string> options;
    if (!succeeded(*listed)) return options;  // there is none
    if (listed->text.size() >= most_output)
        return fail(Fault::refused, "{} configures too many filters; write the version into its file .lull-version",
                    tree.string());
    std::string_view rest = listed->text;
    while (!rest.empty()) {
        auto const end = std::min(rest.find('\n'), rest.size());
        auto const name = rest.substr(0, end);
        options.emplace_back("-c");
        options.push_back(fmt::format("{}={}", name, name.ends_with(".required") ? "false" : ""));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return options;
}

}  // namespace

Result<std::optional<std::string>> git_describe(fs::path const& tree, std::stop_token const& stop) {
    auto words = without_filters(tree, stop);
    if (!words) return pass(words.error());
    for (auto const* const word : {"describe", "--tags", "--dirty"}) words->emplace_back(word);
    auto described = run_git(tree, *words, stop);
    if (!described) return pass(described.error());
    auto& text = described->text;
    while (!text.empty() && text.back() == '\n') text.pop_back();
    if (succeeded(*described)) return std::optional(std::move(text));
    if (tells_of_no_tag(text)) return std::optional<std::string>();
    if (text.find("dubious ownership") != std::string::npos) {
        return fail(Fault::refused,
                    "the git repository {} belongs to another user; allow it with: git config --global --add "
                    "safe.directory {} (as the user of lull watch), or write the version into its file .lull-version",
                    tree.string(), tree.string());
    }
    return fail(Fault::failed, "git describe fails in {}: {}", tree.string(), text);
}

}  // namespace lull::publisher::watch
