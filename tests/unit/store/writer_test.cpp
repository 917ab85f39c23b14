#include "store/writer.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

#include "changes.hpp"
#include "tests/support/temporary_directory.hpp"

namespace writer_test {

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
            writer.submit(
                Batch{put("words", std::to_string(i), value_of(i)), put("words", "newest", std::to_string(i))},
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

namespace {

// What became of batches "a", "b", ... in the order in which they were submitted.
struct Outcomes {
    std::vector<std::pair<std::string, Status>> list;

    [[nodiscard]] Writer::Done note(std::string const& name) {
        return [this, name](Status const& status) { list.emplace_back(name, status); };
    }
    // The first batch that is durable though one before it is not; empty if there is none.
    [[nodiscard]] std::string durable_behind_a_failure() const {
        bool failed = false;
        for (auto const& [name, status] : list) {
            if (failed && status) return name;
            failed = failed || !status;
        }
        return "";
    }
    [[nodiscard]] std::vector<std::string> texts() const {
        std::vector<std::string> texts;
        for (auto const& [name, status] : list) {
            texts.push_back(name + (status ? " ok" : status.error().fault == Fault::no_space ? " no space" : " usage"));
        }
        return texts;
    }
};

Batch small(std::string const& key) { return {put("words", key, "1")}; }
Batch too_large(std::string const& key) {
    return {put("words", key, "1"), put("words", "big", std::string(4 << 20, 'b'))};
}
Batch against_a_rule(std::string const& key) { return {put("words", key, "1"), put("words", "", "no key")}; }

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a batch that fails takes those behind it down, and none before it, until the owner knows") {
    TemporaryDirectory directory;
    auto environment = opened(directory.path(), MiB(1));
    EventLoop loop;
    Outcomes outcomes;
    {
        Writer writer(environment, loop);
        writer.submit(small("a"), outcomes.note("a"));
        writer.submit(small("b"), outcomes.note("b"));
        writer.submit(too_large("c"), outcomes.note("c"));
        writer.submit(small("d"), outcomes.note("d"));
        writer.submit(against_a_rule("e"), outcomes.note("e"));
        writer.submit(small("f"), [&](Status const& status) {
            outcomes.note("f")(status);
            loop.stop();
        });
        loop.run();
    }
    CHECK(outcomes.texts() == Texts{"a ok", "b ok", "c no space", "d no space", "e no space", "f no space"});
    CHECK(outcomes.durable_behind_a_failure().empty());
    CHECK_THAT(outcomes.list[3].second.error().message, Catch::StartsWith("not written, because an earlier change"));
    for (auto const* key : {"a", "b"}) CHECK(text_at(environment, "words", key) == "1");
    for (auto const* key : {"c", "d", "e", "f"}) CHECK(text_at(environment, "words", key) == "(none)");
}

TEST_CASE("what is submitted between a failure and the owner's knowledge of it fails, also one commit later") {
    TemporaryDirectory directory;
    auto environment = opened(directory.path(), MiB(1));
    EventLoop loop;
    Outcomes outcomes;
    {
        Writer writer(environment, loop);
        // The loop does not run yet, so that the owner knows nothing, in however many commits the writer tries these.
        writer.submit(against_a_rule("a"), outcomes.note("a"));
        for (int i = 0; i < 50; ++i) {
            std::this_thread::yield();
            writer.submit(small("b" + std::to_string(i)), outcomes.note("b"));
        }
        writer.submit(small("last"), [&](Status const& status) {
            outcomes.note("last")(status);
            loop.stop();
        });
        loop.run();
    }
    CHECK(outcomes.durable_behind_a_failure().empty());
    CHECK(outcomes.list.size() == 52);
    CHECK(text_at(environment, "words", "b49") == "(none)");
    CHECK(text_at(environment, "words", "last") == "(none)");
}

TEST_CASE("what the owner submits in answer to a failure is written, also behind what still fails") {
    TemporaryDirectory directory;
    auto environment = opened(directory.path(), MiB(1));
    EventLoop loop;
    Outcomes outcomes;
    {
        Writer writer(environment, loop);
        writer.submit(too_large("a"), [&](Status const& status) {
            outcomes.note("a")(status);
            writer.submit(small("again"), outcomes.note("again"));
            writer.submit(against_a_rule("b"), [&](Status const& second) {
                outcomes.note("b")(second);
                writer.submit(small("at last"), [&](Status const& third) {
                    outcomes.note("at last")(third);
                    loop.stop();
                });
            });
        });
        writer.submit(small("behind"), outcomes.note("behind"));
        loop.run();
    }
    CHECK(outcomes.texts() == Texts{"a no space", "behind no space", "again ok", "b usage", "at last ok"});
}

TEST_CASE("control: a writer that tries each batch by itself is caught") {
    TemporaryDirectory directory;
    auto environment = opened(directory.path(), MiB(1));
    Outcomes outcomes;
    outcomes.note("a")(environment.apply(small("a")));
    outcomes.note("b")(environment.apply(too_large("b")));
    outcomes.note("c")(environment.apply(small("c")));
    CHECK(outcomes.durable_behind_a_failure() == "c");
}

TEST_CASE("a writer that has finished has committed all, and its owner may still be told afterwards") {
    TemporaryDirectory directory;
    auto environment = opened(directory.path());
    EventLoop loop;
    Outcomes outcomes;
    {
        Writer writer(environment, loop);
        for (int i = 0; i < 20; ++i) writer.submit(small(std::to_string(i)), outcomes.note("x"));
        writer.finish();
        for (int i = 0; i < 20; ++i) CHECK(text_at(environment, "words", std::to_string(i)) == "1");
        writer.finish();
    }
    loop.post([&] { loop.stop(); });
    loop.run();
    CHECK(outcomes.list.size() == 20);
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

}  // namespace writer_test
