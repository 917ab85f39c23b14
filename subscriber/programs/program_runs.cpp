#include "subscriber/programs/program_runs.hpp"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

namespace lull::subscriber {

namespace {

constexpr Duration kill_wait = std::chrono::seconds(5);  // until what was killed has to be gone
constexpr int farewell_milliseconds = 1000;              // the same when we end ourselves
constexpr std::size_t most_shown = 300;                  // of the output, in one line

// Keeps the last `most` bytes, without moving bytes about for each block.
void append(std::string& output, std::string_view block, Bytes most) {
    output += block;
    if (output.size() > 2 * most.count()) output.erase(0, output.size() - most.count());
}

std::string last_of(std::string_view output, Bytes most) {
    return std::string(output.substr(output.size() - std::min<std::size_t>(output.size(), most.count())));
}

// A program may write whatever it likes; it must not steer the terminal of whoever reads it.
std::string readable(std::string text) {
    std::erase(text, '\r');
    for (char& letter : text) {
        if (letter == '\t') letter = ' ';
        if (letter != '\n' && (letter < ' ' || letter > '~')) letter = '?';
    }
    text.erase(text.find_last_not_of(" \n") + 1);
    return text;
}

std::string in_one_line(std::string_view output) {
    auto text = last_of(output, Bytes(most_shown));
    std::replace(text.begin(), text.end(), '\n', ' ');
    return output.size() > most_shown ? "..." + text : text;
}

// Takes a block of what is there now.
ssize_t take_block(int pipe, std::string& output, Bytes most) {
    std::array<char, 65536> block;
    auto const got = read(pipe, block.data(), block.size());
    if (got > 0) append(output, {block.data(), static_cast<std::size_t>(got)}, most);
    return got;
}

// Takes what is left; a pipe holds at most 1 MiB, and somebody who still writes into it must not keep us here.
void take_rest(int pipe, std::string& output, Bytes most) {
    for (int blocks = 0; blocks < 17 && take_block(pipe, output, most) > 0; ++blocks) {}
}

void reap(int pidfd) {
    siginfo_t ended{};
    static_cast<void>(waitid(P_PIDFD, static_cast<id_t>(pidfd), &ended, WEXITED | WNOHANG));
}

Status check_words(std::vector<std::string> const& words, ProgramStart const& start) {
    for (auto const& word : words) {
        if (word.find('\0') == std::string::npos) continue;
        return fail(Fault::usage, "cannot run {}: an argument or variable of it holds a NUL", start.program.string());
    }
    return {};
}

Result<StartedProgram> check_and_start(ProgramStart const& start) {
    if (auto status = check_words(start.arguments, start); !status) return pass(status.error());
    if (auto status = check_words(start.environment, start); !status) return pass(status.error());
    return start_program(start);
}

}  // namespace

std::string to_text(ProgramResult const& result) {
    auto const took = lull::to_text(result.took);
    auto const tail = result.output.empty() ? std::string() : ": " + in_one_line(result.output);
    switch (result.end) {
        case ProgramResult::End::exited:
            return fmt::format("ended with status {} after {}{}", result.value, took, tail);
        case ProgramResult::End::signalled:
            return fmt::format("was ended by signal {} after {}{}", result.value, took, tail);
        case ProgramResult::End::timed_out: break;
    }
    return fmt::format("was killed because it took longer than {}{}", took, tail);
}

ProgramRuns::~ProgramRuns() {
    for (auto& [id, run] : runs_) {
        forget(run);
        if (run.started.reaper.valid()) static_cast<void>(send_signal(run.started.reaper.get(), SIGTERM));
    }
    for (auto& [id, run] : runs_) {
        pollfd ended{run.started.reaper.get(), POLLIN, 0};
        if (run.started.reaper.valid() && poll(&ended, 1, farewell_milliseconds) == 1) reap(run.started.reaper.get());
    }
}

ProgramRuns::RunId ProgramRuns::run(Result<ProgramStart> start, ProgramBounds bounds, Done done) {
    auto const id = next_++;
    auto& run = runs_[id];
    run.bounds = bounds;
    run.done = std::move(done);
    run.began = loop_.now();
    auto started = start.and_then(check_and_start);
    if (!started) {
        run.timer = loop_.after(Duration::zero(), [this, id, error = started.error()] {
            auto const tell = std::move(runs_.extract(id).mapped().done);
            tell(pass(error));
        });
        return id;
    }
    run.start = *std::move(start);
    run.started = *std::move(started);
    follow(id, run);
    return id;
}

void ProgramRuns::follow(RunId id, Run& run) {
    run.watches = {loop_.watch(run.started.output.get(), POLLIN, [this, id] { read_output(id); }),
                   loop_.watch(run.started.reaper.get(), POLLIN, [this, id] { ended(id); })};
    run.timer = loop_.after(run.bounds.time_limit, [this, id] { time_out(id); });
}

void ProgramRuns::read_output(RunId id) {
    auto& run = runs_.at(id);
    auto const got = take_block(run.started.output.get(), run.output, run.bounds.most_output);
    bool const later = got < 0 && (errno == EAGAIN || errno == EINTR);
    if (got <= 0 && !later) loop_.unwatch(run.watches.front());  // it has closed its output, and may go on without
}

void ProgramRuns::time_out(RunId id) {
    auto& run = runs_.at(id);
    static_cast<void>(send_signal(run.started.reaper.get(), SIGTERM));
    run.timer = loop_.after(kill_wait, [this, id] { give_up(id); });
}

// Something of it cannot be killed, for example because a disk does not answer. It is reaped when it ends after all.
void ProgramRuns::give_up(RunId id) {
    auto& run = runs_.at(id);
    run.timer.reset();
    auto result = result_of(run);
    if (auto const done = std::exchange(run.done, nullptr)) done(std::move(result));
}

void ProgramRuns::ended(RunId id) {
    auto run = std::move(runs_.extract(id).mapped());
    forget(run);
    take_rest(run.started.output.get(), run.output, run.bounds.most_output);
    reap(run.started.reaper.get());
    auto result = result_of(run);
    if (run.done) run.done(std::move(result));
}

void ProgramRuns::cancel(RunId id) {
    auto const found = runs_.find(id);
    if (found == runs_.end()) return;
    auto& run = found->second;
    run.done = nullptr;
    if (run.timer) loop_.cancel(*run.timer);
    run.timer.reset();
    if (!run.started.reaper.valid()) {
        runs_.erase(found);  // it was never started
    } else {
        static_cast<void>(send_signal(run.started.reaper.get(), SIGTERM));
    }
}

// One that was not started is about to tell why.
void ProgramRuns::terminate(RunId id) {
    auto const found = runs_.find(id);
    if (found == runs_.end() || !found->second.started.reaper.valid()) return;
    auto& run = found->second;
    if (std::exchange(run.terminated, true)) return;
    static_cast<void>(send_signal(run.started.reaper.get(), terminate_signal));
    if (run.timer) loop_.cancel(*run.timer);
    run.timer = loop_.after(termination_grace + kill_wait, [this, id] { give_up(id); });
}

void ProgramRuns::forget(Run& run) {
    for (auto const watch : run.watches) loop_.unwatch(watch);
    if (run.timer) loop_.cancel(*run.timer);
    run.timer.reset();
}

Result<ProgramResult> ProgramRuns::result_of(Run& run) const {
    ProgramResult result{ProgramResult::End::timed_out, 0, readable(last_of(run.output, run.bounds.most_output)),
                         loop_.now() - run.began};
    if (auto const outcome = read_outcome(run.started)) {
        if (outcome->kind == ProgramOutcome::Kind::not_started) return pass(not_started(run.start, *outcome));
        bool const exited = outcome->kind == ProgramOutcome::Kind::exited;
        result.end = exited ? ProgramResult::End::exited : ProgramResult::End::signalled;
        result.value = outcome->value;
    } else if (run.terminated) {
        result.end = ProgramResult::End::signalled;
        result.value = SIGKILL;
    } else if (result.took < run.bounds.time_limit) {
        return fail(Fault::failed,
                    "cannot say how {} ended: the process that watched over it was killed; look for a lack of memory",
                    run.start.program.string());
    }
    return result;
}

}  // namespace lull::subscriber
