#include <cstdio>

#include "bench/large_fleet/fleet.hpp"
#include "core/log.hpp"

// What one event costs the broker's loop with a large fleet; see METHOD.md.
//   bench_large_fleet [NODES] [SOFTWARE]     prints a line for each kind of event

namespace lull::bench {
namespace {

Admin question(AdminVerb verb) {
    Admin admin;
    admin.verb = verb;
    return admin;
}

void print(LargeFleet const& fleet, std::string_view phase) {
    for (auto const& [kind, timings] : fleet.timings()) {
        std::puts(fmt::format("{} | {} | {} | {:.1f} | {:.2f}", phase, kind, timings.count(), timings.mean_us(),
                              timings.longest_ms())
                      .c_str());
    }
}

void end_phase(LargeFleet& fleet, std::string_view phase) {
    print(fleet, phase);
    fleet.forget_timings();
}

void run(FleetSize size) {
    LargeFleet fleet(size);
    std::puts("phase | event | count | mean us | longest ms");
    fleet.second();
    end_phase(fleet, "start, nobody connected");

    fleet.connect_all();
    end_phase(fleet, "all connect");
    for (int i = 0; i < 90; ++i) fleet.second();
    end_phase(fleet, "nothing happens for 90 s");

    auto const before = LargeFleet::allocated_mb();
    fleet.report_all();
    auto const rows = size.nodes * size.software;
    auto const memory = LargeFleet::allocated_mb() - before;
    end_phase(fleet, "first reports");
    std::puts(fmt::format("memory | {} rows | {:.0f} MB | {:.0f} bytes a row", rows, memory,
                          memory * 1e6 / static_cast<double>(rows))
                  .c_str());

    // The first stage of each rollout: a hundred reports a second, while a publisher waits for its release.
    fleet.follow(0);
    for (std::size_t second = 0, node = 0; second < 60; ++second) {
        for (std::size_t i = 0; i < 100; ++i, ++node) fleet.report_newest(node * 7 % size.nodes, i % size.software);
        fleet.second();
    }
    end_phase(fleet, "a rollout in the field");

    fleet.ask_all("list", question(AdminVerb::list));
    auto of_one = question(AdminVerb::status);
    of_one.software = SoftwareName::parse("software-03").value();
    fleet.ask_all("status of one software, a page", of_one);
    fleet.ask_all("status, a page", question(AdminVerb::status));
    fleet.ask_all("nodes, a page", question(AdminVerb::nodes));
    end_phase(fleet, "an operator asks");

    for (std::size_t node = 0; node < size.nodes; ++node) fleet.fetch(node);
    for (int i = 0; i < 61; ++i) fleet.second();
    end_phase(fleet, "all nodes want objects");
    for (std::size_t node = 0; node < size.nodes; ++node) fleet.disconnect(node);
    end_phase(fleet, "all connections end");
    fleet.pass(std::chrono::minutes(46));
    for (int i = 0; i < 60; ++i) fleet.second();
    end_phase(fleet, "nobody connected for 46 minutes");

    fleet.start_anew();
    for (int i = 0; i < 60; ++i) fleet.second();
    end_phase(fleet, "restart");
}

}  // namespace
}  // namespace lull::bench

int main(int count, char** words) {
    lull::bench::FleetSize size;
    if (count > 1) size.nodes = std::stoul(words[1]);
    if (count > 2) size.software = std::stoul(words[2]);
    lull::bench::run(size);
}
