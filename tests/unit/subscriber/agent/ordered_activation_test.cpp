#include <catch2/catch.hpp>

#include "subscriber/agent/activation_rules.hpp"

namespace ordered_activation_test {

// What orders make of the rules by which a release becomes live.

using namespace lull;
using namespace lull::subscriber;
using namespace std::chrono_literals;
using Installs = ActivationRules::Installs;
using Kind = lull::subscriber::ActivationGate::Kind;

namespace {

constexpr std::int64_t hour = 3'600'000'000;
constexpr WallTime noon{1'768'478'400'000'000};  // 2026-01-15 12:00 UTC
constexpr Seq seq{8};
auto const kiosk = *SoftwareName::parse("kiosk");
auto const version = *VersionName::parse("1.4.2");
auto const till = *NodeName::parse("till-17");

UpdateInfo release() {
    UpdateInfo info;
    info.software = kiosk;
    info.version = version;
    return info;
}

Order order(OrderKind kind, OrderScope software = kiosk) {
    Order order;
    order.kind = kind;
    order.software = std::move(software);
    if (kind != OrderKind::hold) order.seq = seq;
    order.since = WallTime{noon.micros - hour};
    order.by = "anna";
    order.why = "looks wrong";
    return order;
}

Order share(std::uint64_t upto) {
    auto made = order(OrderKind::share);
    made.upto = upto;
    return made;
}

StandingOrders all(std::vector<Order> orders) { return {{1, std::move(orders)}, {}}; }
StandingOrders own(std::vector<Order> orders) { return {{}, {1, std::move(orders)}}; }

ActivationRules rules(StandingOrders orders, NodeRules node = {}, Holds holds = {}) {
    return {till, std::move(node), std::move(holds), std::move(orders)};
}

// Why it may not become live; "" if it may.
std::string why(ActivationRules const& rules, UpdateInfo const& info = release(), Installs what = Installs::replaces,
                WallTime now = noon) {
    auto const gate = rules.gate(info, seq, what, now);
    return gate ? gate->why : "";
}

Holds held_here() {
    Holds holds;
    holds.all = Hold{noon, std::nullopt, "root", ""};
    return holds;
}

NodeRules at_night() {
    NodeRules node;
    node.windows = *Schedule::parse_times("22:00-05:00 UTC");
    return node;
}

}  // namespace

TEST_CASE(
    "an ordered hold keeps a release back until it ends, whether it is for all, for this node, or for all software") {
    auto const orders = GENERATE(all({order(OrderKind::hold)}), own({order(OrderKind::hold)}),
                                 all({order(OrderKind::hold, std::nullopt)}),
                                 own({order(OrderKind::hold, std::nullopt)}));
    CHECK(why(rules(orders)) == "held by operator anna since 2026-01-15T11:00:00Z: looks wrong");
    CHECK_FALSE(why(rules(orders), release(), Installs::first).empty());
    CHECK(rules(orders).gate(release(), seq, Installs::replaces, noon)->kind == Kind::held);
}

TEST_CASE("an ordered hold of other software, or one that has ended, keeps nothing back") {
    CHECK(why(rules(all({order(OrderKind::hold, *SoftwareName::parse("other"))}))).empty());
    auto ending = order(OrderKind::hold);
    ending.until = WallTime{noon.micros + 1};
    auto const gate = rules(all({ending})).gate(release(), seq, Installs::replaces, noon);
    REQUIRE(gate);
    CHECK(gate->until == ending.until);
    CHECK(why(rules(all({ending})), release(), Installs::replaces, *ending.until).empty());
    ending.until = noon;
    CHECK_FALSE(why(rules(all({ending, order(OrderKind::hold, std::nullopt)}))).empty());  // the other one stands
}

TEST_CASE("a paused release waits in its line, and says by whom") {
    auto const gate = rules(all({order(OrderKind::pause)})).gate(release(), seq, Installs::first, noon);
    REQUIRE(gate);
    CHECK(gate->why == "paused by anna: looks wrong");
    CHECK(gate->kind == Kind::awaiting_rollout);
    CHECK_FALSE(gate->until);
    CHECK_FALSE(rules(all({order(OrderKind::pause)})).gate(release(), Seq{9}, Installs::first, noon));
}

TEST_CASE(
    "a release with a rollout becomes live when its order says that it is this node's turn, not before it is heard") {
    auto info = release();
    info.rollout = Rollout{{100, all_nodes}};
    auto const place = place_in_rollout(kiosk, version, till);
    CHECK(why(rules({}), info) == "its turn in the rollout has not come");
    CHECK_FALSE(why(rules(all({share(place - 1)})), info).empty());
    CHECK(rules(all({share(place - 1)})).gate(info, seq, Installs::first, noon)->kind == Kind::awaiting_rollout);
    CHECK(why(rules(all({share(place)})), info).empty());
    CHECK(why(rules(all({share(std::numeric_limits<std::uint64_t>::max())})), info).empty());
    CHECK(rules(all({share(place)})).gate(info, Seq{9}, Installs::first, noon));  // said of another release
    CHECK_FALSE(why(rules(own({share(place)})), info).empty());                   // whose turn it is, is said to all
}

TEST_CASE("withdrawn comes before forced, forced before everything else") {
    std::vector<Order> const force = {order(OrderKind::force)};
    auto const both = GENERATE(all({order(OrderKind::force), order(OrderKind::withdraw)}),
                               StandingOrders{{1, {order(OrderKind::withdraw)}}, {1, {order(OrderKind::force)}}});
    CHECK(why(rules(both)) == "withdrawn by anna: looks wrong");
    CHECK(rules(both).withdrawn(release(), seq));
    CHECK_FALSE(rules(both).withdrawn(release(), Seq{9}));

    auto info = release();
    info.rollout = Rollout{{100, all_nodes}};
    auto everything = all({order(OrderKind::hold), order(OrderKind::pause), order(OrderKind::force)});
    CHECK(why(rules(everything, at_night(), held_here()), info).empty());
    everything.own = {1, force};
    everything.all.remove(OrderKind::force, kiosk);
    CHECK(why(rules(everything, at_night(), held_here()), info).empty());
    CHECK(rules(everything, at_night(), held_here()).gate(info, Seq{9}, Installs::replaces, noon));
}

TEST_CASE("a hold comes before a pause, a pause before the turn, and that before time windows") {
    auto info = release();
    info.rollout = Rollout{{100, all_nodes}};
    auto orders = all({order(OrderKind::hold), order(OrderKind::pause)});
    CHECK_THAT(why(rules(orders, at_night(), held_here()), info), Catch::StartsWith("held by root"));
    CHECK_THAT(why(rules(orders, at_night()), info), Catch::StartsWith("held by operator anna"));
    orders.all.remove(OrderKind::hold, kiosk);
    CHECK_THAT(why(rules(orders, at_night()), info), Catch::StartsWith("paused by anna"));
    orders.all.remove(OrderKind::pause, kiosk);
    CHECK_THAT(why(rules(orders, at_night()), info), Catch::StartsWith("its turn"));
    orders.all.put(share(std::numeric_limits<std::uint64_t>::max()));
    CHECK_THAT(why(rules(orders, at_night()), info), Catch::StartsWith("outside of this node's time windows"));
    CHECK(why(rules(orders, at_night()), info, Installs::first).empty());
}

TEST_CASE("a forced release leaves users their files, or ends them, as the order says and not as others do") {
    NodeRules patient;
    patient.policy = Policy::wait;
    auto info = release();
    info.policy = Policy::restart;
    auto force = order(OrderKind::force);
    CHECK(rules(all({force}), patient).policy(info, seq, 0s) == Policy::now);
    force.restart = true;
    CHECK(rules(own({force}), patient).policy(info, seq, 0s) == Policy::restart);
    CHECK(rules(own({force}), patient).policy(info, Seq{9}, 0s) == Policy::wait);

    auto gentle = order(OrderKind::force);
    StandingOrders orders = all({force});
    orders.own = {1, {gentle}};
    CHECK(rules(orders).policy(info, seq, 0s) == Policy::now);  // what is said to this node counts more
}

TEST_CASE("hooks may run where the owner of the node allows all, or this software") {
    HooksAllowed allowed;
    CHECK_FALSE(allowed.contains(kiosk));
    allowed.software.insert(kiosk);
    CHECK(allowed.contains(kiosk));
    CHECK_FALSE(allowed.contains(*SoftwareName::parse("other")));
    allowed.all = true;
    CHECK(allowed.contains(*SoftwareName::parse("other")));
}

}  // namespace ordered_activation_test
