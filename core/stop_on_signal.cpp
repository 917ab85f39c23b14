#include "core/stop_on_signal.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>

namespace lull {

StopOnSignal::StopOnSignal() : end_(eventfd(0, EFD_CLOEXEC)) {
    sigset_t set;
    sigemptyset(&set);
    for (int const signal : {SIGINT, SIGTERM}) sigaddset(&set, signal);
    LULL_INVARIANT(pthread_sigmask(SIG_BLOCK, &set, &before_) == 0);
    signals_.reset(signalfd(-1, &set, SFD_CLOEXEC));
    LULL_INVARIANT(end_.valid() && signals_.valid());
    waiting_ = std::thread([this] {
        std::array<pollfd, 2> polled{{{signals_.get(), POLLIN, 0}, {end_.get(), POLLIN, 0}}};
        while (::poll(polled.data(), polled.size(), -1) < 0) {}
        if (polled[0].revents != 0) source_.request_stop();
    });
}

StopOnSignal::~StopOnSignal() {
    std::uint64_t const one = 1;
    LULL_INVARIANT(::write(end_.get(), &one, sizeof one) == sizeof one);
    waiting_.join();
    // A signal that has come was answered.
    if (source_.stop_requested()) {
        signalfd_siginfo info{};
        [[maybe_unused]] auto const got = ::read(signals_.get(), &info, sizeof info);
    }
    LULL_INVARIANT(pthread_sigmask(SIG_SETMASK, &before_, nullptr) == 0);
}

}  // namespace lull
