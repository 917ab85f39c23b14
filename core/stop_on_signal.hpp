#pragma once

#include <csignal>
#include <stop_token>
#include <thread>

#include "core/files.hpp"

namespace lull {

// Turns SIGINT and SIGTERM into a stop token, for a program without an event loop. While it lives, these signals end
// nothing: the work that was given the token has to. Make it before any other thread, and only once a process.
class StopOnSignal {
public:
    StopOnSignal();
    ~StopOnSignal();
    StopOnSignal(StopOnSignal const&) = delete;
    StopOnSignal& operator=(StopOnSignal const&) = delete;

    [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

private:
    sigset_t before_{};
    std::stop_source source_;
    FileDescriptor signals_;  // signalfd(2)
    FileDescriptor end_;      // eventfd(2)
    std::thread waiting_;
};

}  // namespace lull
