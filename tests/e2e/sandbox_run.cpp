#include <poll.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "subscriber/sandbox/sandbox_run.hpp"

// Runs a program of a tree in the sandbox as the node does, with its three streams:
//   sandbox_run RESULT TREE [memory=SIZE] [scratch=SIZE] [output=SIZE] [processes=N] [seconds=N] [network] -- PROGRAM
//   ...
// and writes to the file RESULT how it ended. `slow` as an option: the outputs are not read.

namespace {

using namespace lull;
using namespace lull::subscriber;
using Stream = SandboxRun::Stream;

constexpr Bytes window = KiB(256);

char const* name_of(SandboxEnd::Kind kind) {
    switch (kind) {
        case SandboxEnd::Kind::exited: return "exited";
        case SandboxEnd::Kind::not_started: return "not started";
        case SandboxEnd::Kind::timed_out: return "timed out";
        case SandboxEnd::Kind::too_much_output: return "too much output";
        case SandboxEnd::Kind::stopped: return "stopped";
        case SandboxEnd::Kind::killed: break;
    }
    return "killed";
}

struct Options {
    SandboxRequest request;
    bool slow = false;
};

Options parse(std::vector<std::string> const& words) {
    Options options;
    auto& limits = options.request.limits;
    options.request.tree = words.at(2);
    std::size_t at = 3;
    for (; words.at(at) != "--"; ++at) {
        auto const equals = words[at].find('=');
        auto const name = words[at].substr(0, equals);
        auto const value = equals == std::string::npos ? std::string() : words[at].substr(equals + 1);
        if (name == "memory") limits.memory = *parse_bytes(value);
        if (name == "scratch") limits.scratch = *parse_bytes(value);
        if (name == "output") limits.output = *parse_bytes(value);
        if (name == "processes") limits.processes = std::stoul(value);
        if (name == "seconds") limits.time = std::chrono::seconds(std::stoul(value));
        if (name == "network") options.request.network = NetworkAccess::host;
        if (name == "slow") options.slow = true;
    }
    options.request.program = words.at(at + 1);
    options.request.arguments.assign(words.begin() + static_cast<std::ptrdiff_t>(at) + 2, words.end());
    options.request.environment = {"LULL_SOFTWARE=app", "LULL_VERSION=1.0"};
    return options;
}

void write_all(int descriptor, View bytes) {
    while (!bytes.empty()) {
        auto const written = write(descriptor, bytes.data(), bytes.size());
        if (written < 0) return;
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
}

// Reads our input as the program takes it.
class Input {
public:
    Input(EventLoop& loop, std::unique_ptr<SandboxRun> const& run) : loop_(loop), run_(run) {}
    void taken(Bytes size) {
        waiting_ -= size;
        update();
    }
    void update() {
        bool const wanted = !ended_ && waiting_ < window;
        if (wanted && !watch_) watch_ = loop_.watch(STDIN_FILENO, POLLIN, [this] { read(); });
        if (!wanted && watch_) loop_.unwatch(*std::exchange(watch_, std::nullopt));
    }

private:
    void read() {
        Buffer bytes(std::size_t{64} << 10);
        auto const got = ::read(STDIN_FILENO, bytes.data(), bytes.size());
        ended_ = got <= 0;
        if (ended_) run_->end_input();
        if (!ended_) {
            bytes.resize(static_cast<std::size_t>(got));
            waiting_ += Bytes(bytes.size());
            run_->write(std::move(bytes));
        }
        update();
    }

    EventLoop& loop_;
    std::unique_ptr<SandboxRun> const& run_;
    Bytes waiting_{};
    bool ended_ = false;
    std::optional<EventLoop::WatchId> watch_;
};

int run(Options const& options, std::string const& result) {
    std::signal(SIGPIPE, SIG_IGN);
    Log log("sandbox_run", LogLevel::warn);
    auto const sandbox = Sandbox::open({}, options.request.tree, log);
    if (!sandbox) {
        log.error("{}", sandbox.error().message);
        return 125;
    }
    EventLoop loop;
    std::unique_ptr<SandboxRun> program;
    Input input(loop, program);
    int status = 126;
    auto started = SandboxRun::start(loop, *sandbox, options.request,
                                     {[&](Stream stream, Buffer bytes) {
                                          write_all(stream == Stream::output ? STDOUT_FILENO : STDERR_FILENO, bytes);
                                          program->allow(stream, window);
                                      },
                                      [&](Bytes size) { input.taken(size); },
                                      [&](SandboxEnd const& end) {
                                          Json const json{
                                              {"end", name_of(end.kind)},
                                              {"status", end.status},
                                              {"took", std::chrono::duration<double>(end.took).count()},
                                              {"processor", std::chrono::duration<double>(end.processor_time).count()},
                                              {"input", end.input.count()},
                                              {"output", end.output.count()}};
                                          static_cast<void>(write_file_durably(result, as_view(json.dump()), 0644));
                                          if (end.kind == SandboxEnd::Kind::exited) status = end.status;
                                          loop.stop();
                                      }});
    if (!started) {
        log.error("{}", started.error().message);
        return 125;
    }
    program = *std::move(started);
    input.update();
    if (!options.slow) {
        for (auto const stream : {Stream::output, Stream::errors}) program->allow(stream, window);
    }
    loop.run();
    return status;
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::string> const words(argv, argv + argc);
    return run(parse(words), words.at(1));
}
