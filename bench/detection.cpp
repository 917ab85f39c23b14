#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <vector>

#include "subscriber/usage/in_use.hpp"
#include "subscriber/usage/lease_probe.hpp"
#include "subscriber/usage/tree_files.hpp"
#include "subscriber/usage/use_lock.hpp"
#include "tests/support/temporary_directory.hpp"

// What it costs to find out that nobody uses a version: bench_detection [FILES] [PROCESSES] [REPEATS]. The processes
// are this program again, with its libraries, some descriptors, and arguments of which some are paths.

namespace {

using namespace lull;
using namespace lull::subscriber;

constexpr int files_per_directory = 100;
constexpr char const* wait_word = "wait";

[[noreturn]] void give_up(std::string const& why) {
    fmt::print(stderr, "{}\n", why);
    std::exit(1);
}

void make_tree(Layout const& layout, ReleaseId const& release, int files) {
    auto const tree = layout.tree(release);
    for (int i = 0; i < files; ++i) {
        auto const directory = tree / fmt::format("lib/{}", i / files_per_directory);
        if (i % files_per_directory == 0) fs::create_directories(directory);
        auto const file = open_file(directory / fmt::format("file-{}", i), O_WRONLY | O_CREAT);
        if (!file) give_up(file.error().message);
    }
    fs::create_directories(layout.locks(release.software));
    if (auto const lock = open_file(layout.lock(release), O_WRONLY | O_CREAT); !lock) give_up(lock.error().message);
}

// Other processes, until the object is gone.
class Neighbours {
public:
    Neighbours(int count, char const* program) {
        for (int i = 0; i < count; ++i) start(program);
        for (std::size_t i = 0; i < pids_.size(); ++i) {
            char letter = 0;
            if (read(ready_.get(), &letter, 1) != 1) give_up("a process did not start");
        }
    }
    ~Neighbours() {
        for (auto const pid : pids_) kill(pid, SIGKILL);
        for (auto const pid : pids_) waitpid(pid, nullptr, 0);
    }
    Neighbours(Neighbours const&) = delete;
    Neighbours& operator=(Neighbours const&) = delete;

private:
    void start(char const* program) {
        if (!ready_.valid()) {
            int ends[2];
            if (pipe2(ends, O_CLOEXEC) != 0) give_up("no pipe");
            ready_.reset(ends[0]);
            tell_.reset(ends[1]);
        }
        auto const pid = fork();
        if (pid == 0) {
            dup2(tell_.get(), STDOUT_FILENO);
            execl(program, "neighbour", wait_word, "--config=/etc/hostname", "-v", "/usr/share/doc/missing/file",
                  "name", "/usr/bin/env", nullptr);
            _exit(127);
        }
        pids_.push_back(pid);
    }

    std::vector<pid_t> pids_;
    FileDescriptor ready_;
    FileDescriptor tell_;
};

int be_a_neighbour() {
    for (int i = 0; i < 10; ++i) static_cast<void>(open("/dev/null", O_RDONLY));
    if (write(STDOUT_FILENO, "r", 1) != 1) return 1;
    while (true) pause();
}

double milliseconds(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

// Medians of wall time and of CPU time; a first run is not counted.
void measure(char const* what, int repeats, std::function<void()> const& work) {
    std::vector<double> wall;
    std::vector<double> cpu;
    work();
    for (int i = 0; i < repeats; ++i) {
        auto const wall_before = milliseconds(CLOCK_MONOTONIC);
        auto const cpu_before = milliseconds(CLOCK_PROCESS_CPUTIME_ID);
        work();
        cpu.push_back(milliseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_before);
        wall.push_back(milliseconds(CLOCK_MONOTONIC) - wall_before);
    }
    fmt::print("| {} | {:.2f} | {:.2f} | {:.2f} |\n", what, median(wall), *std::max_element(wall.begin(), wall.end()),
               median(cpu));
}

template <class T>
T demand(Result<T> result) {
    if (!result) give_up(result.error().message);
    return *std::move(result);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 1 && std::strcmp(argv[1], wait_word) == 0) return be_a_neighbour();
    int const files = argc > 1 ? std::atoi(argv[1]) : 10'000;
    int const processes = argc > 2 ? std::atoi(argv[2]) : 500;
    int const repeats = argc > 3 ? std::atoi(argv[3]) : 20;
    test::TemporaryDirectory const directory;
    Layout const layout(directory.path());
    ReleaseId const release{demand(SoftwareName::parse("app")), Seq{1}, demand(VersionName::parse("1.0"))};
    make_tree(layout, release, files);
    Neighbours const neighbours(processes, argv[0]);
    fmt::print(
        "| {} files, {} processes of ours, {} repeats | ms, median | ms, most | CPU ms, median |\n|---|--:|--:|--:|\n",
        files, processes, repeats);
    measure("lock", repeats, [&] { demand(UseLock::try_exclusive(layout.lock(release))); });
    measure("the tree's files", repeats, [&] { demand(TreeFiles::read(layout, release)); });
    measure("/proc and the tree's files", repeats, [&] {
        if (!demand(find_holders(layout, release)).holders.empty()) give_up("somebody uses it");
    });
    measure("/proc without mappings, and the tree's files", repeats, [&] {
        if (!demand(find_holders(layout, release, "/proc", LookDepth::without_mappings)).holders.empty())
            give_up("somebody uses it");
    });
    auto const leases = [&] {
        if (demand(find_open_file(layout, release))) give_up("somebody has a file open");
    };
    measure("leases", repeats, leases);
    measure("**all that says \"free\"**", repeats, [&] {
        demand(UseLock::try_exclusive(layout.lock(release)));
        leases();
        demand(find_holders(layout, release, "/proc", LookDepth::without_mappings));
    });
    return 0;
}
