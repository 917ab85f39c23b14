#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "subscriber/programs/release_program.hpp"
#include "subscriber/run/supervisor.hpp"

// Holds a version in the way that the first argument names, says 'r' on standard output, and ends when standard
// input does.

namespace {

int wait_for_end() {
    if (write(STDOUT_FILENO, "r", 1) != 1) return 1;
    char letter = 0;
    while (read(STDIN_FILENO, &letter, 1) > 0) {}
    return 0;
}

// Does not end when it is asked to.
int be_deaf() {
    std::signal(SIGTERM, SIG_IGN);
    return wait_for_end();
}

// Maps a file and closes it again.
int hold_mapping(char const* path) {
    int const file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || mmap(nullptr, 1, PROT_READ, MAP_PRIVATE, file, 0) == MAP_FAILED) return 2;
    close(file);
    return wait_for_end();
}

int hold_open(char const* path) { return open(path, O_RDONLY) < 0 ? 2 : wait_for_end(); }

int hold_lock(char const* path) {
    auto const lock = lull::subscriber::UseLock::shared(path);
    return lock ? wait_for_end() : 2;
}

// Leaves a grandchild behind that has everything inherited.
int hold_by_grandchild(char const* path) {
    auto const lock = lull::subscriber::UseLock::shared(path);
    if (!lock) return 2;
    for (int generation = 0; generation < 2; ++generation) {
        if (fork() != 0) _exit(0);
    }
    return wait_for_end();
}

// "launch ROOT NAME UID ARGUMENTS...": what lull-node run does, as that user.
int run_launcher(std::vector<std::string> words) {
    auto const software = lull::SoftwareName::parse(words.at(3));
    auto const user = static_cast<uid_t>(std::stoul(words.at(4)));
    if (!software || setgid(user) != 0 || setuid(user) != 0) return 2;
    lull::subscriber::LaunchRequest request{*software, std::nullopt, {words.begin() + 5, words.end()}};
    auto const error = lull::subscriber::launch(lull::subscriber::Layout(words.at(2)), request);
    std::fprintf(stderr, "%s\n", error.message.c_str());
    return 99;
}

// "supervise ROOT NAME MILLISECONDS ARGUMENTS...": what lull-node run --supervise does.
int run_supervisor(std::vector<std::string> words) {
    auto const software = lull::SoftwareName::parse(words.at(3));
    if (!software) return 2;
    std::chrono::milliseconds const mark_wait(std::stoul(words.at(4)));
    static_cast<void>(
        setpgid(0, 0));  // in the group of tests that nobody's shell watches SIGTSTP would have no effect (setpgid(2))
    lull::subscriber::LaunchRequest request{*software, std::nullopt, {words.begin() + 5, words.end()}};
    auto const error = lull::subscriber::supervise(lull::subscriber::Layout(words.at(2)), request, mark_wait);
    std::fprintf(stderr, "%s\n", error.message.c_str());
    return 99;
}

// "programs TREE PROGRAM": runs a program of a release until somebody kills us.
int run_release_program(std::vector<std::string> const& words) {
    lull::EventLoop loop;
    lull::subscriber::ReleasePrograms programs(loop, "root");
    programs.run({words.at(2), words.at(3), {}, {}, std::chrono::hours(1), lull::KiB(4)},
                 [&](auto const&) { loop.stop(); });
    loop.run();
    return 0;
}

// Writes the letter of each signal that it gets, and ends with 42 at SIGTERM.
int tell_signals() {
    std::map<int, char> const letters = {{SIGTERM, 't'}, {SIGINT, 'i'},  {SIGHUP, 'h'}, {SIGQUIT, 'q'},
                                         {SIGUSR1, '1'}, {SIGUSR2, '2'}, {SIGCONT, 'c'}};
    sigset_t set;
    sigemptyset(&set);
    for (auto const& [signal, letter] : letters) sigaddset(&set, signal);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    if (write(STDOUT_FILENO, "r", 1) != 1) return 1;
    for (int signal = 0; sigwait(&set, &signal) == 0;) {
        if (write(STDOUT_FILENO, &letters.at(signal), 1) != 1) return 1;
        if (signal == SIGTERM) return 42;
    }
    return 2;
}

// What a started program sees: version, tree, its own path, its arguments.
int show(std::vector<std::string> const& words) {
    auto const variable = [](char const* name) {
        char const* const value = std::getenv(name);
        return value != nullptr ? value : "";
    };
    std::printf("%s|%s|%s|%s", variable("LULL_SOFTWARE"), variable("LULL_VERSION"), variable("LULL_ROOT_DIR"),
                words.at(0).c_str());
    for (std::size_t i = 2; i < words.size(); ++i) std::printf("|%s", words[i].c_str());
    std::fflush(stdout);
    return 7;
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::string> const words(argv, argv + argc);
    if (argc < 2) return wait_for_end();
    auto const& what = words[1];
    if (what == "wait") return wait_for_end();
    if (what == "deaf") return be_deaf();
    if (what == "show") return show(words);
    if (what == "launch") return run_launcher(words);
    if (what == "supervise") return run_supervisor(words);
    if (what == "programs") return run_release_program(words);
    if (what == "signals") return tell_signals();
    if (argc < 3) return 2;
    if (what == "raise") return std::raise(std::stoi(words[2]));
    if (what == "map") return hold_mapping(argv[2]);
    if (what == "open") return hold_open(argv[2]);
    if (what == "lock") return hold_lock(argv[2]);
    if (what == "grandchild") return hold_by_grandchild(argv[2]);
    return 2;
}
