#include "subscriber/agent/activator.hpp"

#include <catch2/catch.hpp>

#include "subscriber/agent/verification.hpp"
#include "tests/unit/subscriber/agent/surroundings.hpp"

namespace activator_test {

// Activator and Verification alone: what surrounds them is made by hand.

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;
using namespace std::chrono_literals;

namespace {

UseFound used_by(std::vector<Holder> holders) { return {software(), UseAnswer::in_use, std::move(holders), "in use"}; }

}  // namespace

TEST_CASE("an activator probes, waits with a watch, and switches when the version is free") {
    Around around;
    around.progress.phase = Phase::staged;
    Activator activator(around.parts());
    CHECK(activator.advance(Activator::Tree::staged, around.now).begun == Work::probe);
    CHECK(any<ProbeUse>(around.effects.take()));

    auto const waits = activator.on(used_by({holder(5)}), around.now);
    CHECK(waits.transition == Transition::found_in_use);
    CHECK(waits.start_users);
    CHECK(only<WatchUse>(around.effects.take()).holders == std::vector{holder(5)});
    CHECK(activator.wait().holders == std::vector{holder(5)});

    around.progress.phase = Phase::waiting;
    auto const free = activator.on(UseFound{software(), UseAnswer::free, {}, ""}, around.now);
    CHECK(free.transition == Transition::found_free);
}

TEST_CASE("an activator ends users only once the record of that is durable") {
    Around around({}, Policy::restart);
    around.progress.phase = Phase::staged;
    Activator activator(around.parts());
    auto const ends = activator.on(used_by({holder(5)}), around.now);
    CHECK(ends.begun == Work::ending_use);
    REQUIRE(ends.when_durable);
    CHECK(std::holds_alternative<EndUse>(*ends.when_durable));
    CHECK_FALSE(any<EndUse>(around.effects.take()));
    CHECK_FALSE(activator.spares_users(around.now));
    around.rules.set(Holds{{}, Hold{WallTime{1}, std::nullopt, "anna", ""}});
    CHECK(activator.spares_users(around.now));
}

TEST_CASE("an activator counts only time that it has seen pass, and while the release waits") {
    Around around;
    Activator activator(around.parts(), UserWait{{}, 7'000'000});
    around.progress.phase = Phase::waiting;
    CHECK_FALSE(activator.count_waiting(around.now));
    around.now.point += 10s;
    around.now.wall.micros += 3'600'000'000;
    CHECK_FALSE(activator.count_waiting(around.now));  // without a deadline it need not be recorded
    CHECK(activator.wait().waited == 17'000'000);
    around.progress.phase = Phase::held;
    around.now.point += 10s;
    CHECK_FALSE(activator.count_waiting(around.now));
    CHECK(activator.wait().waited == 17'000'000);
}

TEST_CASE("a verification runs the hooks of each side in their order, and each counts until it has ended") {
    Activation how;
    how.hooks = {{HookTime::after, "bin/warm", {}, 10},
                 {HookTime::before, "bin/first", {}, 10},
                 {HookTime::before, "bin/second", {}, 10}};
    Around around(how);
    around.progress.phase = Phase::switching;
    Verification verification(around.parts());
    auto const program = [](Happening const& happening) {
        return std::get<RunHook>(happening.when_durable.value()).hook.program;
    };
    CHECK(program(verification.advance_switch()) == "bin/first");
    CHECK(verification.trials() == 1);
    CHECK(verification.on(HookEnded{Bench::id(2), {}}).then == Happening::Then::reconcile);
    CHECK(verification.trials() == 0);
    CHECK(program(verification.advance_switch()) == "bin/second");
    CHECK_FALSE(verification.on(HookEnded{Bench::id(2), {}}).failure);
    CHECK(verification.advance_switch().begun == Work::switching);
    CHECK(verification.switched(Verification::Users::undisturbed).transition == Transition::switched_unverified);
    around.progress.phase = Phase::verifying;
    CHECK(program(verification.advance()) == "bin/warm");
}

TEST_CASE("a verification that fails goes back to the last release that was shown to work, or gives up") {
    Around around;
    around.progress.phase = Phase::verifying;
    Verification verification(around.parts());
    Status const broken = fail(Fault::failed, "does not work");
    CHECK(verification.end(broken).failure);
    around.installed.previous = ReleaseRef{Seq{1}, Bench::version(1)};
    CHECK(verification.end(broken).transition == Transition::found_unhealthy);
    CHECK(verification.switch_back().begun == Work::switching);
    CHECK(only<SwitchCurrent>(around.effects.take()).release == Bench::id(1));
}

}  // namespace activator_test
