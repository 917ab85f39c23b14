#include "subscriber/sandbox/sandbox_run.hpp"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

namespace lull::subscriber {

namespace {

constexpr std::size_t block = std::size_t{64} << 10;  // what a pipe holds
constexpr int farewell_milliseconds = 2000;           // until what was killed has to be gone when we end ourselves

bool try_later() { return errno == EAGAIN || errno == EINTR; }

void reap(int pidfd) {
    siginfo_t ended{};
    static_cast<void>(waitid(P_PIDFD, static_cast<id_t>(pidfd), &ended, WEXITED | WNOHANG));
}

}  // namespace

Result<std::unique_ptr<SandboxRun>> SandboxRun::start(EventLoop& loop, Sandbox const& sandbox,
                                                      SandboxRequest const& request, Handlers handlers) {
    auto program = sandbox.start(request);
    if (!program) return pass(program.error());
    return std::unique_ptr<SandboxRun>(new SandboxRun(loop, *std::move(program), request.limits, std::move(handlers)));
}

SandboxRun::SandboxRun(EventLoop& loop, SandboxedProgram program, SandboxLimits const& limits, Handlers handlers)
    : loop_(loop),
      program_(std::move(program)),
      most_output_(limits.output),
      handlers_(std::move(handlers)),
      began_(loop.now()) {
    outlets_[0].descriptor = program_.process.output.get();
    outlets_[1].descriptor = program_.process.errors.get();
    reaper_watch_ = loop_.watch(program_.process.reaper.get(), POLLIN, [this] { reaped(); });
    timer_ = loop_.after(limits.time, [this] {
        timer_.reset();
        kill(SandboxEnd::Kind::timed_out);
    });
}

SandboxRun::~SandboxRun() {
    if (timer_) loop_.cancel(*timer_);
    drop_input();
    for (auto& outlet : outlets_) close_outlet(outlet);
    if (end_) return;
    loop_.unwatch(reaper_watch_);
    auto const reaper = program_.process.reaper.get();
    static_cast<void>(send_signal(reaper, SIGTERM));
    pollfd ended{reaper, POLLIN, 0};
    if (poll(&ended, 1, farewell_milliseconds) == 1) reap(reaper);
}

// ---- input ----

void SandboxRun::write(Buffer input) {
    Bytes const size(input.size());
    if (!program_.process.input.valid() || input_ends_) return handlers_.read(size);
    if (!input.empty()) input_.push_back(std::move(input));
    feed();
}

void SandboxRun::end_input() {
    input_ends_ = true;
    feed();
}

void SandboxRun::feed() {
    auto const pipe = program_.process.input.get();
    Bytes taken{};
    while (program_.process.input.valid() && !input_.empty()) {
        auto const& first = input_.front();
        auto const written = ::write(pipe, first.data() + input_offset_, first.size() - input_offset_);
        if (written < 0 && try_later()) break;
        if (written < 0) {  // EPIPE: the program does not read any more
            taken += Bytes(first.size() - input_offset_);
            for (std::size_t i = 1; i < input_.size(); ++i) taken += Bytes(input_[i].size());
            drop_input();
            break;
        }
        taken += Bytes(static_cast<std::uint64_t>(written));
        fed_ += Bytes(static_cast<std::uint64_t>(written));
        input_offset_ += static_cast<std::size_t>(written);
        if (input_offset_ == first.size()) {
            input_.pop_front();
            input_offset_ = 0;
        }
    }
    if (input_.empty() && input_ends_) drop_input();
    bool const wait = program_.process.input.valid() && !input_.empty();
    if (wait && !input_watch_) input_watch_ = loop_.watch(pipe, POLLOUT, [this] { feed(); });
    if (!wait && input_watch_) loop_.unwatch(*std::exchange(input_watch_, std::nullopt));
    if (!taken.zero()) handlers_.read(taken);
}

void SandboxRun::drop_input() {
    if (input_watch_) loop_.unwatch(*std::exchange(input_watch_, std::nullopt));
    input_.clear();
    input_offset_ = 0;
    program_.process.input.reset();
}

// ---- outputs ----

void SandboxRun::allow(Stream stream, Bytes most) {
    outlet(stream).allowed = most;
    watch_outlet(stream);
}

void SandboxRun::watch_outlet(Stream stream) {
    auto& outlet = this->outlet(stream);
    bool const wanted = outlet.open && !outlet.allowed.zero();
    if (wanted && !outlet.watch)
        outlet.watch = loop_.watch(outlet.descriptor, POLLIN, [this, stream] { read_outlet(stream); });
    if (!wanted && outlet.watch) loop_.unwatch(*std::exchange(outlet.watch, std::nullopt));
}

void SandboxRun::read_outlet(Stream stream) {
    auto& outlet = this->outlet(stream);
    Buffer bytes(std::min<std::uint64_t>(block, outlet.allowed.count()));
    auto const got = ::read(outlet.descriptor, bytes.data(), bytes.size());
    if (got < 0 && try_later()) return;
    if (got <= 0) {
        close_outlet(outlet);
        return end_if_done();
    }
    bytes.resize(static_cast<std::size_t>(got));
    Bytes const size(bytes.size());
    outlet.allowed = Bytes();
    if (size > most_output_ - output_) return kill(SandboxEnd::Kind::too_much_output);
    output_ += size;
    watch_outlet(stream);
    handlers_.wrote(stream, std::move(bytes));
}

void SandboxRun::close_outlet(Outlet& outlet) {
    if (outlet.watch) loop_.unwatch(*std::exchange(outlet.watch, std::nullopt));
    outlet.open = false;
}

// ---- the end ----

void SandboxRun::kill(SandboxEnd::Kind why) {
    if (killed_) return;
    killed_ = why;
    drop_input();
    for (auto& outlet : outlets_) close_outlet(outlet);
    if (end_) return end_if_done();  // only its output was left
    static_cast<void>(send_signal(program_.process.reaper.get(), SIGTERM));
}

void SandboxRun::reaped() {
    loop_.unwatch(reaper_watch_);
    reap(program_.process.reaper.get());
    program_.cgroup.reset();
    end_ = ending();
    drop_input();
    end_if_done();
}

// The processes are gone, and so is the last of their output.
void SandboxRun::end_if_done() {
    bool const open = std::ranges::any_of(outlets_, &Outlet::open);
    if (!end_ || open) return;
    if (timer_) loop_.cancel(*std::exchange(timer_, std::nullopt));
    auto end = *end_;
    if (killed_) end.kind = *killed_;
    end.input = fed_;
    end.output = output_;
    auto const tell = std::move(handlers_.ended);
    tell(end);
}

SandboxEnd SandboxRun::ending() {
    std::string said(std::size_t{4096}, '\0');
    auto const got = ::read(program_.status.get(), said.data(), said.size());
    said.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    auto const told = read_ending(program_.process);
    SandboxEnd end;
    end.took = loop_.now() - began_;
    end.processor_time = told.processor_time.value_or(Duration::zero());
    if (auto const status = reported_status(said)) {
        end.status = *status;
    } else {
        bool const by_itself = told.outcome && told.outcome->kind != ProgramOutcome::Kind::signalled;
        end.kind = by_itself ? SandboxEnd::Kind::not_started : SandboxEnd::Kind::killed;
    }
    return end;
}

}  // namespace lull::subscriber
