#include "core/event_loop.hpp"

#include <catch2/catch.hpp>

#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>
#include <thread>

namespace event_loop_test {

using namespace lull;
using namespace std::chrono_literals;

namespace {

using CallOrder = std::vector<std::string>;

// Runs the loop until nothing is left to do in the present and the next turn.
void run_ready(EventLoop& loop) {
    loop.post([&loop] { loop.post([&loop] { loop.stop(); }); });
    loop.run();
}

// A pipe(2) that is readable from the start.
struct Pipe {
    Pipe() {
        int ends[2];
        if (pipe(ends) != 0 || write(ends[1], "x", 1) != 1) std::abort();
        read_end.reset(ends[0]);
        write_end.reset(ends[1]);
    }
    FileDescriptor read_end;
    FileDescriptor write_end;
};

}  // namespace

TEST_CASE("timers run in the order of their times, whatever the order in which they were set") {
    EventLoop loop;
    CallOrder order;
    auto const now = loop.now();
    loop.at(now + 3ms, [&] { order.push_back("third"); });
    loop.at(now + 1ms, [&] { order.push_back("first"); });
    loop.at(now + 2ms, [&] { order.push_back("second"); });
    loop.at(now + 4ms, [&] { loop.stop(); });
    loop.run();
    CHECK(order == CallOrder{"first", "second", "third"});
    CHECK(loop.now() >= now + 4ms);
}

TEST_CASE("a timer whose time has passed runs at once, and one that is set by a timer runs in a later turn") {
    EventLoop loop;
    int turns = 0;
    std::function<void()> const again = [&] {
        if (++turns == 5) return loop.stop();
        loop.at(loop.now() - 1h, again);
    };
    loop.at(loop.now() - 1h, again);
    loop.run();
    CHECK(turns == 5);
}

TEST_CASE("a timer that is cancelled does not run, also if another one that is due cancels it") {
    EventLoop loop;
    CallOrder order;
    auto const past = loop.now() - 1s;
    auto const never = loop.at(past, [&] { order.push_back("cancelled before"); });
    loop.cancel(never);
    EventLoop::TimerId second = 0;
    loop.at(past, [&] {
        order.push_back("first");
        loop.cancel(second);
    });
    second = loop.at(past + 1ms, [&] { order.push_back("cancelled by the first"); });
    loop.at(past + 2ms, [&] { order.push_back("third"); });
    loop.cancel(123'456);  // there is none of this number
    run_ready(loop);
    CHECK(order == CallOrder{"first", "third"});
}

TEST_CASE("tasks from other threads run on the loop's thread, those of one thread in their order") {
    EventLoop loop;
    constexpr int threads = 4;
    constexpr int each = 500;
    std::vector<std::vector<int>> seen(threads);
    bool on_loop = true;
    int left = threads * each;
    auto const loop_thread = std::this_thread::get_id();
    std::vector<std::thread> posting;
    for (std::size_t t = 0; t < threads; ++t) {
        posting.emplace_back([&, t] {
            for (int i = 0; i < each; ++i) {
                loop.post([&, t, i] {
                    seen[t].push_back(i);
                    on_loop = on_loop && std::this_thread::get_id() == loop_thread;
                    if (--left == 0) loop.stop();
                });
            }
        });
    }
    loop.run();
    for (auto& thread : posting) thread.join();
    CHECK(on_loop);
    for (auto const& numbers : seen) {
        CHECK(numbers.size() == each);
        CHECK(std::is_sorted(numbers.begin(), numbers.end()));
    }
}

TEST_CASE("a task may own what cannot be copied, and one that waits is destroyed with the loop") {
    bool ran = false;
    auto const witness = std::make_shared<int>(1);
    {
        EventLoop loop;
        loop.post([owned = std::make_unique<int>(7), &ran] { ran = *owned == 7; });
        run_ready(loop);
        loop.post([witness] {});
        loop.after(1h, [witness] {});
        CHECK(witness.use_count() == 3);
    }
    CHECK(ran);
    CHECK(witness.use_count() == 1);
}

TEST_CASE("a post wakes a loop that waits for nothing else") {
    EventLoop loop;
    std::atomic<bool> waits = false;
    std::thread other([&] {
        while (!waits) std::this_thread::yield();
        loop.post([&] { loop.stop(); });
    });
    loop.post([&] { waits = true; });
    loop.run();
    other.join();
    SUCCEED("run() has returned");
}

TEST_CASE("a descriptor's handler runs while it is ready, and may end its own watch") {
    EventLoop loop;
    Pipe const pipe;
    int calls = 0;
    EventLoop::WatchId watch = 0;
    watch = loop.watch(pipe.read_end.get(), POLLIN, [&] {
        if (++calls < 3) return;  // it reads nothing, so it stays ready
        loop.unwatch(watch);
        loop.post([&] { loop.post([&] { loop.stop(); }); });
    });
    loop.run();
    CHECK(calls == 3);
}

TEST_CASE("a handler that ends the watch of another ready descriptor keeps that one's handler from running") {
    EventLoop loop;
    Pipe const first;
    Pipe const second;
    CallOrder order;
    EventLoop::WatchId second_watch = 0;
    EventLoop::WatchId first_watch = 0;
    first_watch = loop.watch(first.read_end.get(), POLLIN, [&] {
        order.push_back("first");
        loop.unwatch(second_watch);
        loop.unwatch(first_watch);
    });
    second_watch = loop.watch(second.read_end.get(), POLLIN, [&] { order.push_back("second"); });
    run_ready(loop);
    loop.after(1ms, [&] { loop.stop(); });
    loop.run();
    CHECK(order == CallOrder{"first"});
}

TEST_CASE("a handler may begin many watches, which count from the next turn on") {
    EventLoop loop;
    Pipe const first;
    std::vector<Pipe> more(20);
    int calls = 0;
    EventLoop::WatchId watch = 0;
    watch = loop.watch(first.read_end.get(), POLLIN, [&] {
        loop.unwatch(watch);
        for (auto const& pipe : more) {
            loop.watch(pipe.read_end.get(), POLLIN, [&] {
                if (++calls == 20) loop.stop();
            });
        }
    });
    loop.run();
    CHECK(calls >= 20);
}

TEST_CASE("what is to run at the end of a turn runs behind every handler of it, once") {
    EventLoop loop;
    CallOrder order;
    loop.post([&] {
        loop.at_turn_end([&] { order.push_back("end"); });
        order.push_back("first");
    });
    loop.post([&] { order.push_back("second"); });
    loop.at(loop.now() - 1s, [&] { order.push_back("timer"); });
    run_ready(loop);
    CHECK(order == CallOrder{"first", "second", "timer", "end"});
}

TEST_CASE("a loop that was stopped runs again, and a stop before it runs means nothing") {
    EventLoop loop;
    int runs = 0;
    loop.stop();
    for (int i = 0; i < 3; ++i) {
        loop.post([&] {
            ++runs;
            loop.stop();
        });
        loop.run();
    }
    CHECK(runs == 3);
}

TEST_CASE("an exception of a handler leaves run(), and nothing that waits is lost") {
    EventLoop loop;
    CallOrder order;
    loop.post([&] { order.push_back("before"); });
    loop.post([] { throw std::runtime_error("a handler fails"); });
    loop.post([&] { order.push_back("behind"); });
    loop.at(loop.now() - 1s, [&] { order.push_back("timer"); });
    CHECK_THROWS_WITH(loop.run(), "a handler fails");
    CHECK(order == CallOrder{"before"});
    loop.post([&] { order.push_back("new"); });
    run_ready(loop);
    CHECK(order == CallOrder{"before", "behind", "new", "timer"});
}

TEST_CASE("a signal that the loop waits for reaches its handler and does not end the process") {
    sigset_t before;
    REQUIRE(pthread_sigmask(SIG_SETMASK, nullptr, &before) == 0);
    {
        EventLoop loop;
        int signal_number = 0;
        loop.on_signal({SIGUSR1, SIGUSR2}, [&](int signal) {
            signal_number = signal;
            loop.stop();
        });
        REQUIRE(kill(getpid(), SIGUSR2) == 0);
        loop.run();
        CHECK(signal_number == SIGUSR2);
    }
    REQUIRE(pthread_sigmask(SIG_SETMASK, &before, nullptr) == 0);
}

}  // namespace event_loop_test
