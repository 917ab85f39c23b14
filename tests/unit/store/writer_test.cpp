#include "store/writer.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

#include "changes.hpp"
#include "tests/support/temporary_directory.hpp"

using namespace lull;
using namespace lull::store;
using namespace lull::store::test;
using lull::test::TemporaryDirectory;

namespace {

Environment opened(fs::path const& directory, Bytes largest_map = GiB(1)) {
    EnvironmentOptions options;
    options.directory = directory;
    options.tables = {"words"};
    options.first_map = KiB(128);
    options.largest_map = largest_map;
    auto environment = Environment::open(options);
    if (!environment) FAIL(environment.error().message);
    return std::move(*environment);
}

std::string value_of(int i) { return std::string(100, static_cast<char>('a' + i % 26)); }

}  // namespace

TEST_CASE("batches are durable when their completion runs, which happens on the loop and in order") {
    TemporaryDirectory directory;
    auto environment = opened(directory.path());
    EventLoop loop;
    std::vector<int> order;
    bool all_visible = true;
    {
        Writer writer(environment, loop);
        auto const loop_thread = std::this_thread::get_id();
        for (int i = 0; i < 1000; ++i) {
            writer.submit(Batch{put("words", std::to_string(i), value_of(i)),
                                put("words", "newest", std::to_string(i))},
                          [&, i](Status const& status) {
                              all_visible = all_visible && status && std::this_thread::get_id() == loop_thread &&
                                            text_at(environment, "words", std::to_string(i)) == value_of(i);
                              order.push_back(i);
                              if (i == 999) loop.stop();
                          });
        }
        loop.run();
    }
    CHECK(all_visible);
    REQUIRE(order.size() == 1000);
    CHECK(std::is_sorted(order.begin(), order.end()));
    CHECK(text_at(environment, "words", "newest") == "999");
}

TEST_CASE("what is submitted while a commit runs is gathered into few commits") {
    TemporaryDirectory directory;
    auto environment = opened(directory.path());
    EventLoop loop;
    int turns = 0;
    bool counted = false;
    {
        Writer writer(environment, loop);
        for (int i = 0; i < 2000; ++i) {
            writer.submit(Batch{put("words", std::to_string(i), value_of(i))}, [&, i](Status const&) {
                // Completions of one commit run in one turn of the loop.
                if (!std::exchange(counted, true)) {
                    ++turns;
                    loop.at_turn_end([&] { counted = false; });
                }
                if (i == 1999) loop.stop();
            });
        }
        loop.run();
    }
    CHECK(turns >= 1);
    CHECK(turns < 200);
}

TEST_CASE("the end of a writer commits what was submitted") {
    TemporaryDirectory directory;
    auto environment = opened(directory.path());
    EventLoop loop;
    {
        Writer writer(environment, loop);
        for (int i = 0; i < 100; ++i) writer.submit(Batch{put("words", std::to_string(i), "x")}, [](Status const&) {});
    }
    for (int i = 0; i < 100; ++i) CHECK(text_at(environment, "words", std::to_string(i)) == "x");
}

TEST_CASE("a batch that finds no space, or is against a rule, does not take the others down") {
    TemporaryDirectory directory;
    auto environment = opened(directory.path(), MiB(1));
    EventLoop loop;
    std::vector<std::string> results;
    auto const note = [&](std::string const& name) {
        return [&results, name](Status const& status) {
            auto const text = status ? "ok" : status.error().fault == Fault::no_space ? "no space" : "usage";
            results.push_back(name + " " + text);
        };
    };
    {
        Writer writer(environment, loop);
        for (int round = 0; round < 3; ++round) {
            writer.submit(Batch{put("words", "a", "1")}, note("a"));
            writer.submit(Batch{put("words", "b", "1"), put("words", "big", std::string(4 << 20, 'b'))}, note("b"));
            writer.submit(Batch{put("words", "c", "1"), put("words", "", "no key")}, note("c"));
            writer.submit(Batch{put("words", "d", "1")}, note("d"));
        }
        writer.submit({}, [&](Status const&) { loop.stop(); });
        loop.run();
    }
    REQUIRE(results.size() == 12);
    for (std::size_t i = 0; i < results.size(); i += 4) {
        CHECK(results[i] == "a ok");
        CHECK(results[i + 1] == "b no space");
        CHECK(results[i + 2] == "c usage");
        CHECK(results[i + 3] == "d ok");
    }
    CHECK(text_at(environment, "words", "a") == "1");
    CHECK(text_at(environment, "words", "b") == "(none)");
    CHECK(text_at(environment, "words", "c") == "(none)");
    CHECK(text_at(environment, "words", "d") == "1");
}

TEST_CASE("several threads may submit while the loop reads") {
    TemporaryDirectory directory;
    auto environment = opened(directory.path());
    EventLoop loop;
    int finished = 0;
    bool all_visible = true;
    {
        Writer writer(environment, loop);
        std::vector<std::thread> threads;
        for (int t = 0; t < 3; ++t) {
            threads.emplace_back([&, t] {
                for (int i = 0; i < 200; ++i) {
                    auto const key = std::to_string(t) + "/" + std::to_string(i);
                    writer.submit(Batch{put("words", key, std::string(1000, 'x'))}, [&, key](Status const& status) {
                        all_visible = all_visible && status && text_at(environment, "words", key).size() == 1000;
                        if (++finished == 600) loop.stop();
                    });
                }
            });
        }
        loop.run();
        for (auto& thread : threads) thread.join();
    }
    CHECK(all_visible);
    CHECK(finished == 600);
}
