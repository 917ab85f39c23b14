// An agent that starts from the journal of the one before.

#include <catch2/catch.hpp>

#include "tests/unit/subscriber/agent/orders_bench.hpp"

namespace agent_restart_test {

using namespace lull;
using namespace lull::subscriber;
using namespace lull::subscriber::test;
using namespace std::chrono_literals;

namespace {

// The settings of the next agent on the node of this bench.
AgentSettings settings_of(Bench const& bench) {
    AgentSettings settings;
    settings.architecture = *ArchitectureName::parse("amd64");
    settings.trusted = TrustedKeys({bench.key.public_key()});
    return settings;
}

}  // namespace

TEST_CASE("after a crash before the switch the version is looked at again: the lock is gone") {
    Bench before;
    second_staged(before);
    before.on(UseFound{software(), UseAnswer::free, {}, ""});
    before.all_durable();
    REQUIRE(before.state().phase == Phase::switching);

    Agent after(settings_of(before), before.agent.state(), {{software(), Bench::id(1)}});
    auto const actions = after.start(before.now);
    CHECK_FALSE(any<SwitchCurrent>(actions));
    CHECK(only<ProbeUse>(actions).active == Bench::id(1));
}

TEST_CASE("after a crash behind the switch it is only confirmed") {
    Bench before;
    second_staged(before);
    before.on(UseFound{software(), UseAnswer::free, {}, ""});
    before.all_durable();
    Agent after(settings_of(before), before.agent.state(), {{software(), Bench::id(2)}});
    CHECK(only<SwitchCurrent>(after.start(before.now)).release == Bench::id(2));
    auto const actions = after.on(SwitchEnded{Bench::id(2), {}}, before.now);
    CHECK(any<Persist>(actions));
    CHECK(after.state().software.at(software()).previous == ReleaseRef{Seq{1}, Bench::version(1)});
}

TEST_CASE("a crash while fetching makes a new plan, and objects that are here are not asked for") {
    Bench before;
    before.check_in();
    before.record(1);
    before.to_fetching(1);
    before.object_comes(Bench::segment(1).digest, Bytes(50));
    Agent after(settings_of(before), before.agent.state(), {});
    CHECK(only<MakePlan>(after.start(before.now)).materials.release == Bench::id(1));
    auto const actions = after.on(PlanMade{Bench::id(1), Plan{{Bench::segment(1)}}}, before.now);
    CHECK(any<StageRelease>(actions));
}

TEST_CASE("a crash between the switch and the removal of old versions does not leave them until the next release") {
    Bench before;
    before.check_in();
    for (std::uint64_t seq = 1; seq <= 3; ++seq) {
        before.record(seq);
        before.to_active(seq);
    }
    Bench after(before.agent.state(), {{software(), Bench::id(3)}}, *SigningKey::from_pem(before.key.to_pem(""), ""));
    CHECK(only<RemoveVersions>(after.start()).keep == std::vector{Bench::id(3), Bench::id(2)});
}

TEST_CASE("what current points to outranks the journal") {
    Bench before;
    before.check_in();
    before.record(1);
    before.to_active(1);
    Agent after(settings_of(before), before.agent.state(), {});
    (void)after.start(before.now);
    CHECK(after.state().software.at(software()).phase == Phase::announced);
    CHECK_FALSE(after.state().software.at(software()).active);
}

}  // namespace agent_restart_test
