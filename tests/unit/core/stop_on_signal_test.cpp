#include "core/stop_on_signal.hpp"

#include <catch2/catch.hpp>

#include <unistd.h>

#include <condition_variable>

namespace stop_on_signal_test {

using namespace lull;

TEST_CASE("SIGTERM stops the work and does not end the process") {
    sigset_t before;
    sigset_t after;
    REQUIRE(pthread_sigmask(SIG_SETMASK, nullptr, &before) == 0);
    {
        StopOnSignal const on_signal;
        CHECK_FALSE(on_signal.token().stop_requested());
        REQUIRE(kill(getpid(), SIGTERM) == 0);
        std::mutex mutex;
        std::condition_variable_any stopped;
        std::unique_lock lock(mutex);
        stopped.wait(lock, on_signal.token(), [] { return false; });
        CHECK(on_signal.token().stop_requested());
    }
    REQUIRE(pthread_sigmask(SIG_SETMASK, nullptr, &after) == 0);
    CHECK(sigismember(&before, SIGTERM) == sigismember(&after, SIGTERM));
}

TEST_CASE("without a signal the end does not wait for one") {
    { StopOnSignal const on_signal; }
    SUCCEED("it has ended");
}

}  // namespace stop_on_signal_test
