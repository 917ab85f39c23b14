#include "core/workers.hpp"

#include <catch2/catch.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <future>

namespace workers_test {

using namespace lull;

TEST_CASE("one worker runs jobs in their order, and each result reaches the loop's thread") {
    EventLoop loop;
    Workers workers(loop, 1);
    std::vector<int> jobs;  // of the worker alone
    std::vector<int> results;
    auto const loop_thread = std::this_thread::get_id();
    bool on_loop = true;
    for (int i = 0; i < 200; ++i) {
        workers.submit(
            [&jobs, i] {
                jobs.push_back(i);
                return i;
            },
            [&](int result) {
                on_loop = on_loop && std::this_thread::get_id() == loop_thread;
                results.push_back(result);
                if (result == 199) loop.stop();
            });
    }
    loop.run();
    CHECK(on_loop);
    CHECK(results.size() == 200);
    CHECK(std::is_sorted(results.begin(), results.end()));
    CHECK(jobs == results);
}

TEST_CASE("several workers run as many jobs at a time") {
    EventLoop loop;
    constexpr int threads = 3;
    Workers workers(loop, threads);
    std::atomic<int> together = 0;
    int left = threads;
    for (int i = 0; i < threads; ++i) {
        workers.submit(
            [&] {
                ++together;
                while (together < threads) std::this_thread::yield();  // all of them are here, or it never ends
                return 0;
            },
            [&](int) {
                if (--left == 0) loop.stop();
            });
    }
    loop.run();
    CHECK(together == threads);
}

TEST_CASE("a job and its result may own what cannot be copied") {
    EventLoop loop;
    Workers workers(loop, 1);
    std::unique_ptr<int> came_back;
    workers.submit([owned = std::make_unique<int>(7)]() mutable { return std::move(owned); },
                   [&, other = std::make_unique<int>(1)](std::unique_ptr<int> result) {
                       came_back = std::move(result);
                       loop.stop();
                   });
    loop.run();
    REQUIRE(came_back);
    CHECK(*came_back == 7);
}

TEST_CASE("the end of workers waits for the job that runs, drops those that wait, and reports neither") {
    EventLoop loop;
    std::promise<void> started;
    std::promise<void> go_on;
    std::atomic<bool> finished = false;
    std::atomic<int> others = 0;
    int reported = 0;
    std::thread release;
    {
        Workers workers(loop, 1);
        workers.submit(
            [&] {
                started.set_value();
                go_on.get_future().wait();
                finished = true;
                return 0;
            },
            [&](int) { ++reported; });
        for (int i = 0; i < 5; ++i) {
            workers.submit(
                [&] {
                    ++others;
                    return 0;
                },
                [&](int) { ++reported; });
        }
        started.get_future().wait();
        CHECK(workers.waiting() == 5);
        release = std::thread([&] {
            while (workers.waiting() > 0) std::this_thread::yield();  // until the end has begun
            go_on.set_value();
        });
    }
    CHECK(finished);
    CHECK(others == 0);
    release.join();
    loop.post([&] { loop.stop(); });
    loop.run();
    CHECK(reported == 0);
}

TEST_CASE("workers of low priority have a higher nice value than the others, and only they") {
    EventLoop loop;
    Workers low(loop, 1, Workers::Priority::low);
    Workers usual(loop, 1);
    auto const nice_value = [] { return getpriority(PRIO_PROCESS, static_cast<id_t>(gettid())); };
    auto const mine = nice_value();
    std::optional<int> of_low;
    std::optional<int> of_usual;
    auto const stop_when_both = [&] {
        if (of_low && of_usual) loop.stop();
    };
    low.submit(nice_value, [&](int value) {
        of_low = value;
        stop_when_both();
    });
    usual.submit(nice_value, [&](int value) {
        of_usual = value;
        stop_when_both();
    });
    loop.run();
    CHECK(*of_low == std::min(mine + 5, 19));
    CHECK(*of_usual == mine);
    CHECK(nice_value() == mine);
}

}  // namespace workers_test
