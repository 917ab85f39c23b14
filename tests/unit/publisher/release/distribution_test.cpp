#include "publisher/release/distribution.hpp"

#include <catch2/catch.hpp>

#include "schema/limits.hpp"
#include "tests/unit/publisher/given_arguments.hpp"

namespace distribution_test {

using namespace lull;
using namespace lull::publisher;
using lull::publisher::test::given;

namespace {

Result<Distribution> parse(std::vector<char const*> words) {
    return distribution_of(given(distribution_options(), std::move(words)));
}

Distribution good(std::vector<char const*> words) {
    auto distribution = parse(std::move(words));
    if (!distribution) FAIL(distribution.error().message);
    return *distribution;
}

// The words are refused as wrong usage, with this in the reason.
void check_refused(std::vector<char const*> words, std::string const& reason) {
    CAPTURE(words);
    auto const distribution = parse(std::move(words));
    REQUIRE_FALSE(distribution.has_value());
    CHECK(distribution.error().fault == Fault::usage);
    CHECK_THAT(distribution.error().message, Catch::Contains(reason));
}

}  // namespace

TEST_CASE("without options a release goes to every node at normal urgency, waits, and says nothing else") {
    auto const usual = good({});
    CHECK(usual.groups.empty());
    CHECK(usual.urgency == Urgency::normal);
    CHECK(usual.policy == Policy::wait);
    CHECK_FALSE(usual.activation);
    CHECK_FALSE(usual.rollout);
}

TEST_CASE("urgency and policy are words") {
    auto const quick = good({"--urgency", "immediate", "--policy", "now"});
    CHECK(quick.urgency == Urgency::immediate);
    CHECK(quick.policy == Policy::now);
    CHECK(good({"--urgency", "background"}).urgency == Urgency::background);
    CHECK(good({"--policy", "restart"}).policy == Policy::restart);
    check_refused({"--urgency", "Urgent"},
                  "--urgency: 'Urgent' has to be one of: background, normal, urgent, immediate");
    check_refused({"--policy", ""}, "--policy: '' has to be one of: wait, restart, now");
}

TEST_CASE("a rollout is said by its stages, and halts on 2 % unless something else is said") {
    CHECK(good({"--rollout", "1%,10%,100%"}).rollout == Rollout{{100, 1000, all_nodes}, 0, 200});
    CHECK(good({"--rollout", "1%", "--stage-time", "10min"}).rollout == Rollout{{100, all_nodes}, 600, 200});
    CHECK(good({"--rollout", "5%", "--halt-on", "failed>0%"}).rollout == Rollout{{500, all_nodes}, 0, 0});
    CHECK(good({"--rollout", "5%", "--halt-on", "never"}).rollout == Rollout{{500, all_nodes}, 0, std::nullopt});
    CHECK(good({"--halt-on", "failed>5%"}).rollout == Rollout{{all_nodes}, 0, 500});  // of one stage
}

TEST_CASE("what makes no rollout is refused with the name of the option") {
    check_refused({"--rollout", "10%,1%"}, "--rollout: ");
    check_refused({"--rollout", ""}, "--rollout: ");
    check_refused({"--rollout", "1%", "--halt-on", "2%"}, "--halt-on: '2%'");
    check_refused({"--rollout", "1%", "--halt-on", ""}, "or 'never'");
    check_refused({"--rollout", "1%", "--stage-time", "soon"}, "--stage-time: ");
    check_refused({"--rollout", "1%", "--stage-time", "400d"}, "may last");
    check_refused({"--stage-time", "10min"}, "--stage-time is for --rollout only");
}

TEST_CASE("hooks are commands, those before the switch first, each in the order in which they are given") {
    auto const how = good({"--after-switch", "bin/warm", "--before-switch", "bin/prepare --title 'two words'",
                           "--before-switch", "bin/migrate", "--hook-time", "2min"});
    REQUIRE(how.activation);
    CHECK(how.activation->hooks == std::vector<Hook>{{HookTime::before, "bin/prepare", {"--title", "two words"}, 120},
                                                     {HookTime::before, "bin/migrate", {}, 120},
                                                     {HookTime::after, "bin/warm", {}, 120}});
    CHECK(good({"--after-switch", "bin/warm"}).activation->hooks->at(0).time_limit == 30);
    CHECK_FALSE(good({"--grace", "5s"}).activation->hooks);
}

TEST_CASE("what makes no hook is refused") {
    check_refused({"--before-switch", ""}, "--before-switch names no program");
    check_refused({"--after-switch", "'open"}, "'");
    check_refused({"--before-switch", "/bin/sh -c x"}, "/bin/sh");
    check_refused({"--before-switch", "../x"}, "..");
    check_refused({"--before-switch", "bin/x", "--hook-time", "0"}, "time limit");
    check_refused({"--before-switch", "bin/x", "--hook-time", "2h"}, "time limit");
    check_refused({"--hook-time", "later"}, "--hook-time: ");
    std::vector<char const*> nine;
    for (std::size_t i = 0; i <= limits::hooks_per_release; ++i) nine.insert(nine.end(), {"--before-switch", "bin/x"});
    check_refused(nine, "9 hooks are more than 8");
}

TEST_CASE("how a release becomes live is said by its options, and carried only where it is not as usual") {
    CHECK_FALSE(good({"--grace", "30s"}).activation);
    auto const how = *good({"--grace", "7", "--deadline", "2h", "--activate-at", "22:00-05:00 UTC", "--unit",
                            "a.service", "--unit", "b", "--health", "bin/check --quick", "--health-time", "5s",
                            "--health-tries", "2"})
                          .activation;
    CHECK(how.grace == 7);
    CHECK(how.deadline == 7200);
    CHECK(how.windows == "22:00-05:00 UTC");
    CHECK(how.units == std::vector<std::string>{"a.service", "b"});
    CHECK(how.health->program == "bin/check");
    CHECK(how.health->arguments == std::vector<std::string>{"--quick"});
    CHECK(how.health->time_limit == 5);
    CHECK(how.health->tries == 2);
    check_refused({"--grace", "2d"}, "grace");
    check_refused({"--deadline", "never"}, "--deadline: ");
    check_refused({"--activate-at", "at night"}, "--activate-at: ");
    check_refused({"--unit", "a.socket"}, "a.socket");
    check_refused({"--health", " "}, "--health names no program");
    check_refused({"--health", "bin/check", "--health-tries", "0"}, "tries");
}

TEST_CASE("an option that has no effect beside the others is refused") {
    check_refused({"--deadline", "1h", "--policy", "now"}, "--deadline has no effect");
    check_refused({"--deadline", "1h", "--policy", "restart"}, "--deadline has no effect");
    check_refused({"--health-time", "5s"}, "--health-time has no effect without --health");
    check_refused({"--health-tries", "5"}, "--health-tries has no effect without --health");
    check_refused({"--hook-time", "5s"}, "--hook-time has no effect without --before-switch or --after-switch");
}

namespace {

Result<Distribution> change(Distribution const& before, std::vector<char const*> const& words) {
    auto const changes = distribution_changes(given(distribution_options(), words));
    REQUIRE(changes);
    return changed(before, *changes);
}

}  // namespace

TEST_CASE("options that are not given are those of the release before") {
    auto const before = good({"--policy", "restart", "--grace", "7", "--urgency", "urgent", "--health", "bin/check",
                              "--health-tries", "2", "--after-switch", "bin/warm", "--rollout", "1%,100%"});
    CHECK(change(before, {}) == before);

    auto expected = before;
    expected.policy = Policy::now;
    CHECK(change(before, {"--policy", "now"}) == expected);

    expected = before;
    expected.activation->health->time_limit = 3;
    expected.activation->hooks->front().time_limit = 9;
    CHECK(change(before, {"--health-time", "3s", "--hook-time", "9s"}) == expected);

    expected = before;
    expected.rollout = Rollout{{5'000, all_nodes}, 0, 200};
    CHECK(change(before, {"--rollout", "50%"}) == expected);
    CHECK(change(before, {"--deadline", "1h"}).error().fault == Fault::usage);  // its policy is restart
    CHECK(change(Distribution(), {"--health-time", "3s"}).error().fault == Fault::usage);
    CHECK(change(Distribution(), {"--grace", "30s"}) == Distribution());  // as usual: nothing to carry
}

TEST_CASE("two distributions differ in the options that are named") {
    Distribution const usual;
    CHECK(differences(usual, usual).empty());
    auto explicit_usual = usual;
    explicit_usual.activation.emplace();
    CHECK(differences(usual, explicit_usual).empty());
    auto const other = good({"--policy", "restart", "--grace", "7", "--urgency", "urgent", "--unit", "a", "--health",
                             "bin/check", "--after-switch", "bin/warm", "--rollout", "1%,100%", "--activate-at",
                             "22:00-05:00 UTC"});
    CHECK(differences(usual, other) == std::vector<std::string>{"urgency", "policy", "grace", "activate-at", "unit",
                                                                "health", "before-switch and after-switch", "rollout"});
    auto more = usual;
    more.groups = {GroupName::parse("tills").value()};
    more.callable = {"bin/x"};
    more.activation.emplace().deadline = 5;
    CHECK(differences(usual, more) == std::vector<std::string>{"group", "deadline", "callable"});
}

}  // namespace distribution_test
