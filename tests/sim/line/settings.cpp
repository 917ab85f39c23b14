#include "tests/sim/line/settings.hpp"

#include <algorithm>
#include <map>
#include <variant>

namespace lull::sim {

using namespace std::chrono_literals;

namespace {

constexpr Duration to_the_end = 1h;

Traffic web(Duration begin = 0s, Duration end = to_the_end, double requests = 20) {
    return {.kind = Traffic::Kind::web, .begin = begin, .end = end, .requests = requests};
}

Traffic bulk(Duration begin, Duration end) { return {.kind = Traffic::Kind::bulk, .begin = begin, .end = end}; }

Traffic constant(ByteRate rate, Duration begin = 0s, Duration end = to_the_end) {
    return {.kind = Traffic::Kind::constant, .begin = begin, .end = end, .rate = rate};
}

LineShape line(double mbit, Duration round_trip) { return {.rate = Mbit(mbit), .one_way = round_trip / 2}; }

LineShape shaken(Jitter kind, Duration jitter) { return {.kind = kind, .jitter = jitter}; }

// Quiet and busy by turns: browsing, a download, a call, silence.
std::vector<Traffic> mixed() {
    return {web(8s, 16s),      bulk(24s, 30s),   constant(Mbit(4), 36s, 44s), web(40s, 50s, 8), bulk(60s, 62s),
            web(66s, 69s, 40), web(80s, 86s, 10)};
}

std::vector<Setting> laboratory() {
    std::vector<Traffic> const step = {bulk(10s, 18s)};
    return {
        {.name = "idle"},
        {.name = "web", .others = {web()}, .length = 45s},
        {.name = "step", .others = step},
        {.name = "constant", .others = {constant(Mbit(10))}},
        {.name = "web-100", .line = line(100, 4ms), .others = {web(0s, to_the_end, 100)}},
        {.name = "step-100", .line = line(100, 4ms), .others = step},
        {.name = "web-4-nodes", .others = {web()}, .length = 45s, .nodes = 4},
        {.name = "step-4-nodes", .others = step, .nodes = 4},
        {.name = "own-nic", .others = {web()}, .length = 45s, .counters = {.with_others = true}},
        {.name = "own-nic-slow-counters",
         .others = {web()},
         .length = 45s,
         .counters = {.period = 1s, .with_others = true}},
        {.name = "own-nic-priority",
         .line = {.discipline = Discipline::priority},
         .others = {web()},
         .length = 45s,
         .counters = {.with_others = true}},
        {.name = "gigabit", .line = line(1000, 1ms), .others = {web(0s, to_the_end, 1000)}, .length = 12s},
        {.name = "mixed", .others = mixed(), .length = 95s},
    };
}

std::vector<Setting> hard_lines() {
    LineShape const fair{.discipline = Discipline::fair};
    std::vector<Traffic> const step = {bulk(10s, 18s)};
    return {
        {.name = "jitter-5", .line = shaken(Jitter::noise, 5ms), .others = {web()}},
        {.name = "jitter-30", .line = shaken(Jitter::noise, 30ms), .others = {web()}},
        {.name = "wifi", .line = shaken(Jitter::wifi, 12ms), .others = {web()}},
        {.name = "lte", .line = shaken(Jitter::lte, 0ms), .others = {web()}},
        {.name = "idle-jitter-30", .line = shaken(Jitter::noise, 30ms)},
        {.name = "idle-wifi", .line = shaken(Jitter::wifi, 12ms)},
        {.name = "idle-lte", .line = shaken(Jitter::lte, 0ms)},
        {.name = "drift", .others = {web()}, .length = 120s, .drift = 200e-6},
        {.name = "fair-web", .line = fair, .others = {web()}},
        {.name = "fair-step", .line = fair, .others = step},
        {.name = "two-brokers", .others = {web()}, .length = 45s, .brokers = 2},
        {.name = "two-brokers-idle", .length = 45s, .brokers = 2},
        {.name = "20-nodes", .others = {web()}, .length = 45s, .nodes = 20},
        {.name = "20-nodes-step", .others = step, .nodes = 20},
        {.name = "halves", .length = 40s, .rates = {{15s, Mbit(10)}}},
        {.name = "doubles", .length = 60s, .rates = {{15s, Mbit(40)}}},
        {.name = "slow", .line = line(10, 30ms), .others = {web(0s, to_the_end, 10)}, .length = 45s},
        {.name = "slow-idle", .line = line(2, 30ms), .length = 60s},
        {.name = "ten-gigabit", .line = line(10'000, 1ms), .warm_up = 2s, .length = 4s},
        {.name = "gigabit-idle", .line = line(1000, 1ms), .length = 12s},
        {.name = "loopback", .line = line(10'000, 100us), .warm_up = 2s, .length = 5s},
    };
}

using Constant = std::variant<double broker::PathTuning::*, Duration broker::PathTuning::*>;

std::map<std::string, Constant, std::less<>> const& constants() {
    using broker::PathTuning;
    static std::map<std::string, Constant, std::less<>> const all = {
        {"urgent", &PathTuning::urgent},
        {"normal", &PathTuning::normal},
        {"background", &PathTuning::background},
        {"most_threshold", &PathTuning::most_threshold},
        {"most_late_threshold", &PathTuning::most_late_threshold},
        {"jitter_factor", &PathTuning::jitter_factor},
        {"window_factor", &PathTuning::window_factor},
        {"plain_jitter", &PathTuning::plain_jitter},
        {"least_threshold", &PathTuning::least_threshold},
        {"least_window", &PathTuning::least_window},
        {"most_window", &PathTuning::most_window},
        {"late_factor", &PathTuning::late_factor},
        {"startup_bound", &PathTuning::startup_bound},
        {"ceiling", &PathTuning::ceiling},
        {"least_growth", &PathTuning::least_growth},
        {"most_growth", &PathTuning::most_growth},
        {"cut_below", &PathTuning::cut_below},
        {"cut", &PathTuning::cut},
        {"deep_cut", &PathTuning::deep_cut},
        {"surviving_cut", &PathTuning::surviving_cut},
        {"long_yield", &PathTuning::long_yield},
        {"recover", &PathTuning::recover},
        {"pause", &PathTuning::pause},
        {"of_round_trip", &PathTuning::of_round_trip},
        {"persistent_queue", &PathTuning::persistent_queue},
        {"persistent_queue_memory", &PathTuning::persistent_queue_memory},
        {"far", &PathTuning::far},
        {"most_pause", &PathTuning::most_pause},
        {"resume", &PathTuning::resume},
        {"floor", &PathTuning::floor},
        {"progress", &PathTuning::progress},
        {"probe_gap", &PathTuning::probe_gap},
        {"yield_probe_gap", &PathTuning::yield_probe_gap},
        {"episode", &PathTuning::episode},
        {"explore_every", &PathTuning::explore_every},
        {"explore", &PathTuning::explore},
        {"shared_after", &PathTuning::shared_after},
        {"shared_below", &PathTuning::shared_below},
        {"stall", &PathTuning::stall},
    };
    return all;
}

}  // namespace

std::vector<Setting> settings() {
    auto all = laboratory();
    for (auto& setting : hard_lines()) all.push_back(std::move(setting));
    return all;
}

Result<Setting> find_setting(std::string_view name) {
    std::string names;
    for (auto& setting : settings()) {
        if (setting.name == name) return setting;
        names += " " + setting.name;
    }
    return fail(Fault::usage, "'{}' is no scenario; there are:{}", name, names);
}

Status set_constant(broker::PathTuning& tuning, std::string_view name, double value) {
    auto const found = constants().find(name);
    if (found == constants().end())
        return fail(Fault::usage, "'{}' is no constant; see broker/governor/path_tuning.hpp", name);
    if (auto const* plain = std::get_if<double broker::PathTuning::*>(&found->second)) {
        tuning.** plain = value;
    } else {
        tuning.*std::get<Duration broker::PathTuning::*>(found->second) = from_seconds(value / 1000);
    }
    return {};
}

}  // namespace lull::sim
