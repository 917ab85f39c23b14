#include "subscriber/agent/activation_rules.hpp"

#include <catch2/catch.hpp>

namespace activation_rules_test {

using namespace lull;
using namespace lull::subscriber;
using namespace std::chrono_literals;
using Installs = ActivationRules::Installs;

namespace {

constexpr std::int64_t hour = 3'600'000'000;
constexpr WallTime noon{1'768'478'400'000'000};  // 2026-01-15 12:00 UTC

constexpr Seq seq{8};

SoftwareName software(std::string_view name = "kiosk") { return *SoftwareName::parse(name); }

ActivationRules rules_of(NodeRules node, Holds holds, StandingOrders orders = {}) {
    return {*NodeName::parse("till-17"), std::move(node), std::move(holds), std::move(orders)};
}

UpdateInfo release(Policy policy = Policy::wait, Activation activation = {}) {
    UpdateInfo info;
    info.software = software();
    info.policy = policy;
    info.activation = std::move(activation);
    return info;
}

Holds held(std::optional<WallTime> until = std::nullopt) {
    Holds holds;
    holds.by_software[software()] = {WallTime{noon.micros - hour}, until, "anna", "inventory"};
    return holds;
}

}  // namespace

TEST_CASE("without holds and windows nothing keeps a release back") {
    auto const rules = rules_of({}, {});
    CHECK_FALSE(rules.gate(release(), seq, Installs::replaces, noon));
    UpdateInfo const silent;  // its publisher says nothing
    CHECK_FALSE(rules.gate(silent, seq, Installs::replaces, noon));
    CHECK(rules.policy(silent, seq, 0s) == Policy::wait);
}

TEST_CASE("a hold keeps everything back, also a first installation, until it expires, and says who and why") {
    auto const rules = rules_of({}, held(WallTime{noon.micros + hour}));
    for (auto const what : {Installs::first, Installs::replaces}) {
        auto const gate = rules.gate(release(), seq, what, noon);
        REQUIRE(gate);
        CHECK(gate->why == "held by anna since 2026-01-15T11:00:00Z, until 2026-01-15T13:00:00Z: inventory");
        CHECK(gate->until == WallTime{noon.micros + hour});
        CHECK_FALSE(rules.gate(release(), seq, what, WallTime{noon.micros + hour}));
    }
    auto other = release();
    other.software = software("till");
    CHECK_FALSE(rules.gate(other, seq, Installs::replaces, noon));
}

TEST_CASE("a hold of all software counts beside one that has expired") {
    auto holds = held(WallTime{noon.micros - 1});
    holds.all = Hold{noon, std::nullopt, "root", ""};
    auto const rules = rules_of({}, holds);
    REQUIRE(rules.gate(release(), seq, Installs::replaces, noon));
    CHECK(rules.gate(release(), seq, Installs::replaces, noon)->why == "held by root since 2026-01-15T12:00:00Z");
}

TEST_CASE("outside of its time windows a release waits until the next one, but a first installation does not") {
    Activation at_night;
    at_night.windows = "22:00-05:00 UTC";
    auto const rules = rules_of({}, {});
    auto const gate = rules.gate(release(Policy::wait, at_night), seq, Installs::replaces, noon);
    REQUIRE(gate);
    CHECK(gate->until == WallTime{noon.micros + 10 * hour});
    CHECK_FALSE(rules.gate(release(Policy::wait, at_night), seq, Installs::first, noon));
    CHECK_FALSE(
        rules.gate(release(Policy::wait, at_night), seq, Installs::replaces, WallTime{noon.micros + 11 * hour}));
}

TEST_CASE("both the node's windows and the release's have to be open") {
    Activation at_night;
    at_night.windows = "22:00-05:00 UTC";
    auto const rules = rules_of({std::nullopt, *Schedule::parse_times("11:00-23:00 UTC")}, {});
    CHECK(rules.gate(release(), seq, Installs::replaces, WallTime{noon.micros + 11 * hour})->why.find("this node's") !=
          std::string::npos);
    CHECK(rules.gate(release(Policy::wait, at_night), seq, Installs::replaces, noon)->why.find("its time windows") !=
          std::string::npos);
    CHECK_FALSE(
        rules.gate(release(Policy::wait, at_night), seq, Installs::replaces, WallTime{noon.micros + 10 * hour}));
}

TEST_CASE(
    "time windows that this machine cannot understand keep a release back rather than let it through at a wrong time") {
    Activation elsewhere;
    elsewhere.windows = "22:00-05:00 Mars/Olympus";
    auto const rules = rules_of({}, {});
    auto const gate = rules.gate(release(Policy::wait, elsewhere), seq, Installs::replaces, noon);
    REQUIRE(gate);
    CHECK(gate->why.find("Mars/Olympus") != std::string::npos);
    CHECK_FALSE(gate->until);
}

TEST_CASE("the node's policy outranks the release's, and a deadline makes restart of wait") {
    Activation patient;
    patient.deadline = 3600;
    auto const rules = rules_of({}, {});
    CHECK(rules.policy(release(Policy::wait, patient), seq, 3599s) == Policy::wait);
    CHECK(rules.policy(release(Policy::wait, patient), seq, 1h) == Policy::restart);
    CHECK(rules.policy(release(Policy::now, patient), seq, 1h) == Policy::now);
    CHECK(rules.deadline(release(Policy::wait, patient)) == Duration(1h));
    CHECK_FALSE(rules.deadline(release(Policy::restart, patient)));

    auto const gentle = rules_of({Policy::wait, std::nullopt}, {});
    CHECK(gentle.policy(release(Policy::restart), seq, 0s) == Policy::wait);
    CHECK(gentle.policy(release(Policy::restart, patient), seq, 1h) == Policy::restart);
}

}  // namespace activation_rules_test
