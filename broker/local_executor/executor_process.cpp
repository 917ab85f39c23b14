#include "broker/local_executor/executor_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

namespace lull::broker {

namespace {

constexpr Duration shortest_wait = std::chrono::seconds(1);
constexpr Duration longest_wait = std::chrono::minutes(1);

bool can_execute(fs::path const& path) { return access(path.c_str(), X_OK) == 0; }

std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> pointers;
    for (auto& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    return pointers;
}

// Between fork(2) and execve(2), in a process that had threads: nothing that takes memory or locks.
[[noreturn]] void become(char* const* words, pid_t broker) {
    int const null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0) _exit(127);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != broker) _exit(0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    execv(words[0], words);
    _exit(127);
}

std::string text_of(int status) {
    if (WIFSIGNALED(status)) return fmt::format("was ended by signal {}", WTERMSIG(status));
    return fmt::format("ended with exit status {}", WEXITSTATUS(status));
}

int wait_for(pid_t process) {
    int status = 0;
    while (waitpid(process, &status, 0) < 0 && errno == EINTR) {}
    return status;
}

}  // namespace

Result<fs::path> find_lull_node() {
    std::error_code problem;
    auto const self = fs::read_symlink("/proc/self/exe", problem);
    auto const beside = self.parent_path() / "lull-node";
    if (!problem && can_execute(beside)) return beside;
    char const* const path = std::getenv("PATH");
    std::string_view rest = path == nullptr ? "" : path;
    while (!rest.empty()) {
        auto const end = std::min(rest.find(':'), rest.size());
        fs::path const candidate = fs::path(rest.substr(0, end)) / "lull-node";
        if (candidate.is_absolute() && can_execute(candidate)) return candidate;
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return fail(Fault::not_found,
                "--calls needs the program lull-node beside {} or in PATH; install it, or leave --calls out",
                self.string());
}

ExecutorProcess::ExecutorProcess(EventLoop& loop, Log& log, ExecutorCommand command)
    : loop_(loop),
      log_(log),
      command_(std::move(command)),
      wait_(shortest_wait) {}

ExecutorProcess::~ExecutorProcess() {
    if (watch_) loop_.unwatch(*watch_);
    if (retry_) loop_.cancel(*retry_);
    if (process_ == 0) return;
    kill(process_, SIGTERM);
    pollfd ended{handle_.get(), POLLIN, 0};
    auto const longest = std::chrono::duration_cast<std::chrono::milliseconds>(longest_end).count();
    if (poll(&ended, 1, static_cast<int>(longest)) != 1) kill(process_, SIGKILL);
    (void)wait_for(process_);
}

void ExecutorProcess::start() { launch(Step::join); }

void ExecutorProcess::launch(Step step) {
    step_ = step;
    started_ = loop_.now();
    std::vector<std::string> words{command_.program.string()};
    if (step == Step::join) {
        // --force: the directory belongs to the broker, which may have got another address or other publishers.
        for (auto const& word : {std::string("join"), command_.bundle.string(), std::string("--force")})
            words.push_back(word);
    } else {
        for (auto const* const word : {"daemon", "--serve-calls"}) words.emplace_back(word);
        for (auto const& name : command_.allowed) {
            words.emplace_back("--allow-calls");
            words.push_back(name);
        }
    }
    words.emplace_back("--root");
    words.push_back(command_.root.string());
    auto const arguments = pointers(words);
    auto const self = getpid();
    auto const process = fork();
    if (process == 0) become(arguments.data(), self);
    if (process < 0) return try_later("cannot be started: no process can be made");
    process_ = process;
    handle_.reset(static_cast<int>(syscall(SYS_pidfd_open, process, 0)));
    if (!handle_.valid()) {
        kill(process, SIGKILL);
        (void)wait_for(std::exchange(process_, 0));
        return try_later("cannot be watched: too many files are open");
    }
    watch_ = loop_.watch(handle_.get(), POLLIN, [this] { look(); });
}

void ExecutorProcess::look() {
    int status = 0;
    if (process_ == 0 || waitpid(process_, &status, WNOHANG) != process_) return;
    loop_.unwatch(*watch_);
    watch_.reset();
    handle_.reset();
    process_ = 0;
    ended(status);
}

void ExecutorProcess::ended(int status) {
    if (step_ == Step::join && WIFEXITED(status) && WEXITSTATUS(status) == 0) return launch(Step::serve);
    if (loop_.now() - started_ > longest_wait) wait_ = shortest_wait;
    try_later(text_of(status));
}

void ExecutorProcess::try_later(std::string const& why) {
    auto const seconds = std::chrono::duration_cast<std::chrono::seconds>(wait_).count();
    log_.warn("the executor for remote calls ({}) {}; it is started again in {} s", command_.program.string(), why,
              seconds);
    retry_ = loop_.after(wait_, [this] {
        retry_.reset();
        launch(Step::join);
    });
    wait_ = std::min(wait_ * 2, longest_wait);
}

}  // namespace lull::broker
