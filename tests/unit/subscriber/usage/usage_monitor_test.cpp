#include "subscriber/usage/usage_monitor.hpp"

#include <algorithm>

#include "fixture.hpp"
#include "running.hpp"

namespace lull::subscriber::test::usage_monitor_test {

namespace {

// A version whose program can be run, and the guard of it.
struct Guarding {
    Node node{1 << 20};
    ReleaseId id = node.install(1, "1.0", {{"app", program_contents()}});
    EventLoop loop;
    std::vector<Event> told;
    UsageMonitor guard{loop, node.layout, [this](Event event) {
                           told.push_back(std::move(event));
                           loop.stop();
                       }};

    [[nodiscard]] std::unique_ptr<Child> runs(std::string const& how = "wait") const {
        auto child = std::make_unique<Child>(std::vector<std::string>{node.layout.tree(id) / "app", how});
        child->wait_ready();
        return child;
    }
    [[nodiscard]] std::unique_ptr<Child> holds_lock() const {
        auto child = std::make_unique<Child>(std::vector<std::string>{TEST_PROGRAM, "lock", node.layout.lock(id)});
        child->wait_ready();
        return child;
    }
    // What the next look finds.
    UseFound look() {
        auto const before = static_cast<std::ptrdiff_t>(told.size());
        guard.probe({id});
        for (;;) {  // that use may have ended can be told once more meanwhile
            auto const found = std::find_if(told.begin() + before, told.end(),
                                            [](Event const& event) { return std::holds_alternative<UseFound>(event); });
            if (found != told.end()) return std::get<UseFound>(*found);
            run_bounded(loop);
        }
    }
    void watch(UseFound const& found) { guard.watch({id, found.holders}); }
    // Runs until it is worth another look.
    void wait_for_end() {
        run_bounded(loop);
        REQUIRE(std::holds_alternative<UseMayHaveEnded>(told.back()));
        CHECK(std::get<UseMayHaveEnded>(told.back()).software == id.software);
    }
    [[nodiscard]] bool can_be_launched() const {
        auto const lock = UseLock::try_exclusive(node.layout.lock(id));
        REQUIRE(lock);
        return lock->has_value();
    }
};

}  // namespace

TEST_CASE("a version that nobody uses is free, and stays locked until it is let go") {
    Guarding guarding;
    auto const found = guarding.look();
    CHECK(found.answer == UseAnswer::free);
    CHECK(found.software == guarding.id.software);
    CHECK(found.holders.empty());
    CHECK_FALSE(guarding.can_be_launched());
    guarding.guard.let_go(guarding.id.software);
    CHECK(guarding.can_be_launched());
    guarding.guard.let_go(guarding.id.software);  // once more does no harm
}

TEST_CASE("a version that somebody runs is in use by him, and not locked") {
    Guarding guarding;
    auto const child = guarding.runs();
    auto const found = guarding.look();
    CHECK(found.answer == UseAnswer::in_use);
    REQUIRE(found.holders.size() == 1);
    CHECK(found.holders[0].pid == child->pid());
    CHECK_THAT(found.why, Catch::Contains(fmt::format("pid {} by", child->pid())));
    CHECK(guarding.can_be_launched());
}

TEST_CASE("a version whose lock somebody holds is in use, whether he can be found or not") {
    Guarding guarding;
    auto const child = guarding.holds_lock();
    CHECK(guarding.look().answer == UseAnswer::in_use);
}

TEST_CASE("the end of a holder is told without a look at the clock, and then the version is free") {
    Guarding guarding;
    auto child = guarding.runs();
    guarding.watch(guarding.look());
    child->end_input();
    guarding.wait_for_end();
    child->finish();
    CHECK(guarding.look().answer == UseAnswer::free);
}

TEST_CASE("the end of one of two holders is worth a look that finds the other") {
    Guarding guarding;
    auto one = guarding.runs();
    auto const two = guarding.runs();
    guarding.watch(guarding.look());
    one->end_input();
    guarding.wait_for_end();
    one->finish();
    auto const found = guarding.look();
    REQUIRE(found.holders.size() == 1);
    CHECK(found.holders[0].pid == two->pid());
}

TEST_CASE("a lock that is given back is told, and the look that follows has it already") {
    Guarding guarding;
    auto child = guarding.holds_lock();
    guarding.watch(guarding.look());
    child->end_input();
    guarding.wait_for_end();
    child->finish();
    CHECK(guarding.look().answer == UseAnswer::free);
    CHECK_FALSE(guarding.can_be_launched());
}

TEST_CASE("a watch that was let go tells nothing") {
    Guarding guarding;
    auto child = guarding.runs();
    guarding.watch(guarding.look());
    guarding.guard.let_go(guarding.id.software);
    auto const before = guarding.told.size();
    child->finish();
    guarding.loop.post([&] { guarding.loop.stop(); });
    run_bounded(guarding.loop);
    CHECK(guarding.told.size() == before);
}

TEST_CASE("where it cannot be told the answer is unknown, with the reason, and nothing is locked") {
    Guarding guarding;
    fs::remove_all(guarding.node.layout.tree(guarding.id).parent_path());
    guarding.guard.probe({guarding.id});
    if (guarding.told.empty()) run_bounded(guarding.loop);
    auto const found = std::get<UseFound>(guarding.told.back());
    CHECK(found.answer == UseAnswer::unknown);
    CHECK_FALSE(found.why.empty());
}

}  // namespace lull::subscriber::test::usage_monitor_test
