#include <catch2/catch.hpp>

#include "tests/sim/line/figures.hpp"
#include "tests/sim/line/settings.hpp"

// Bounds for the governor on simulated lines, over seeds that did not find its constants. docs/governor.md has the
// figures; the margins here are wide enough for any seed, and narrow enough for the controls below.

using namespace lull;
using namespace lull::sim;

namespace {

constexpr std::uint64_t first_seed = 301;

Figures median_of(std::string_view scenario, std::uint64_t seeds, Sending const& sending = {}) {
    std::vector<Figures> runs;
    for (auto seed = first_seed; seed < first_seed + seeds; ++seed)
        runs.push_back(measure(*find_setting(scenario), sending, seed));
    return median(runs);
}

struct Bounds {
    std::string_view scenario;
    double most_p50 = 1;
    double most_p99 = 1;
    double least_residual = 0;
    double least_kept = 0;
    double least_jain = 0;
};

// What is broken, or "".
std::string broken(Bounds const& bounds, Figures const& figures) {
    if (figures.p50 > bounds.most_p50)
        return fmt::format("{}: half of others' requests take {:.3f} times as long", bounds.scenario, figures.p50);
    if (figures.p99 > bounds.most_p99)
        return fmt::format("{}: one request of a hundred takes {:.3f} times as long", bounds.scenario, figures.p99);
    if (figures.residual < bounds.least_residual)
        return fmt::format("{}: {:.3f} of the residual is used", bounds.scenario, figures.residual);
    if (figures.kept < bounds.least_kept)
        return fmt::format("{}: a download keeps {:.3f}", bounds.scenario, figures.kept);
    if (figures.jain < bounds.least_jain) return fmt::format("{}: fairness {:.3f}", bounds.scenario, figures.jain);
    return "";
}

void check(std::vector<Bounds> const& all, std::uint64_t seeds, Sending const& sending = {}) {
    for (auto const& bounds : all) CHECK(broken(bounds, median_of(bounds.scenario, seeds, sending)) == "");
}

}  // namespace

TEST_CASE("an idle line is used, with hardly a queue") {
    auto const figures = median_of("idle", 2);
    CHECK(figures.residual > 0.96);
    CHECK(figures.queue_p50 < 1.5);
    CHECK(figures.queue_p99 < 5);
}

TEST_CASE("browsing, calls and downloads of others are hardly touched, and what they leave is used") {
    check({{.scenario = "web", .most_p50 = 1.14, .most_p99 = 1.5, .least_residual = 0.35},
           {.scenario = "constant", .most_p50 = 1.1, .most_p99 = 1.4, .least_residual = 0.8},
           {.scenario = "own-nic", .most_p50 = 1.14, .most_p99 = 1.4, .least_residual = 0.4},
           {.scenario = "own-nic-slow-counters", .most_p50 = 1.14, .most_p99 = 1.4, .least_residual = 0.25},
           {.scenario = "step", .least_residual = 0.9, .least_kept = 0.97},
           {.scenario = "mixed", .most_p50 = 1.25, .most_p99 = 1.6, .least_residual = 0.7, .least_kept = 0.88}},
          3);
}

TEST_CASE("a download gets the line within half a second, and we are back within one after it") {
    auto const figures = median_of("step", 3);
    CHECK(figures.gone < 0.4);
    CHECK(figures.back < 1);
}

TEST_CASE("clocks that drift and radios that jitter neither starve a transfer nor make it harm others") {
    check({{.scenario = "drift", .most_p50 = 1.14, .most_p99 = 1.5, .least_residual = 0.35},
           {.scenario = "wifi", .most_p50 = 1.14, .most_p99 = 1.6, .least_residual = 0.1},
           {.scenario = "idle-wifi", .least_residual = 0.8},
           {.scenario = "idle-lte", .least_residual = 0.15},
           {.scenario = "jitter-30", .most_p50 = 1.4, .most_p99 = 1.6, .least_residual = 0.02},
           {.scenario = "slow-idle", .least_residual = 0.7}},
          2);
}

TEST_CASE("late threads do not make a fast path collapse, nor does jitter of every packet") {
    check({{.scenario = "loopback", .least_residual = 0.85},
           {.scenario = "gigabit-idle", .least_residual = 0.9},
           {.scenario = "idle-jitter-30", .least_residual = 0.5}},
          2);
}

TEST_CASE("where others go first at our own interface, what they leave is used and they notice nothing") {
    check({{.scenario = "own-nic-priority", .most_p50 = 1.03, .most_p99 = 1.03, .least_residual = 0.8}}, 2);
}

TEST_CASE("lines that become slower or faster are followed") {
    check({{.scenario = "halves", .least_residual = 0.8}, {.scenario = "doubles", .least_residual = 0.65}}, 1);
}

TEST_CASE("two brokers on one line, and twenty nodes behind one, neither collapse nor starve anybody") {
    check({{.scenario = "two-brokers", .most_p50 = 1.2, .most_p99 = 1.6, .least_residual = 0.4, .least_jain = 0.5},
           {.scenario = "20-nodes", .most_p50 = 1.15, .most_p99 = 1.5, .least_residual = 0.3, .least_jain = 0.99},
           {.scenario = "20-nodes-step", .least_residual = 0.85, .least_kept = 0.96, .least_jain = 0.99}},
          2);
    check({{.scenario = "20-nodes", .most_p50 = 1.3, .most_p99 = 2.5, .least_residual = 0.12, .least_jain = 0.4}}, 2,
          {.one_for_all = false});
}

TEST_CASE("the same seed gives the same run") {
    auto const once = measure(*find_setting("web"), {}, first_seed);
    auto const again = measure(*find_setting("web"), {}, first_seed);
    CHECK(once.p99 == again.p99);
    CHECK(once.residual == again.residual);
}

// ---- controls: what the bounds must catch ----

TEST_CASE("control: cubic in our place breaks the bounds") {
    Sending const cubic{.kind = Sending::Kind::cubic};
    CHECK(broken({.scenario = "web", .most_p50 = 1.14, .most_p99 = 1.5}, median_of("web", 1, cubic)) != "");
    CHECK(broken({.scenario = "step", .least_kept = 0.96}, median_of("step", 1, cubic)) != "");
}

TEST_CASE("control: a governor that never pauses, or that never cuts, is caught") {
    Sending careless;
    careless.tuning.normal = std::chrono::milliseconds(40);
    careless.tuning.of_round_trip = 2;
    CHECK(broken({.scenario = "web", .most_p50 = 1.14, .most_p99 = 1.5}, median_of("web", 1, careless)) != "");
    Sending stubborn;
    stubborn.tuning.cut = stubborn.tuning.deep_cut = stubborn.tuning.surviving_cut = 1;
    stubborn.tuning.persistent_queue = 2;
    CHECK(broken({.scenario = "step", .least_kept = 0.96}, median_of("step", 1, stubborn)) != "");
}

TEST_CASE("control: a governor that takes every delay for a queue collapses under jitter") {
    Sending nervous;
    nervous.tuning.jitter_factor = nervous.tuning.window_factor = 0;
    CHECK(broken({.scenario = "idle-jitter-30", .least_residual = 0.5}, median_of("idle-jitter-30", 2, nervous)) != "");
}

TEST_CASE("the simulator's own limit: strict priority costs others next to nothing, and uses all that they leave") {
    auto setting = *find_setting("web");
    setting.line.discipline = Discipline::priority;
    auto const figures = measure(setting, {.kind = Sending::Kind::fixed, .fixed = 1}, first_seed);
    CHECK(figures.p50 < 1.04);
    CHECK(figures.residual > 0.97);
}
