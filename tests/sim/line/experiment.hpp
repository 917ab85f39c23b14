#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/delivery/governor/line_governor.hpp"
#include "tests/sim/line/foreground.hpp"
#include "tests/sim/line/our_path.hpp"

namespace lull::sim {

// What sends our bytes.
struct Sending {
    enum class Kind { nothing, governor, cubic, fixed };
    Kind kind = Kind::governor;
    double fixed = 0.5;             // of the line
    std::optional<Duration> age{};  // fixed: silent while there was a queue so long ago
    broker::PathTuning tuning{};
    broker::Urgency urgency = broker::Urgency::normal;
    bool one_for_all = true;  // the nodes of a broker share one controller, as those of one site do
};

// The interface counters that the broker reads.
struct Counters {
    Duration period{};         // of the driver's updates; zero: always current
    bool with_others = false;  // others' traffic leaves by the broker's own interface
};

// A line, its users and a time to run.
struct Setting {
    std::string name;
    LineShape line{};
    std::vector<Traffic> others{};
    Duration warm_up = std::chrono::seconds(5);  // not counted
    Duration length = std::chrono::seconds(25);
    std::size_t nodes = 1;
    std::size_t brokers = 1;
    Counters counters{};
    Lateness lateness{};  // of the programs of the broker and of each node
    double drift = 0;     // of the nodes' clocks, in turn ahead and behind
    struct NewRate {
        Duration at;
        ByteRate rate;
    };
    std::vector<NewRate> rates{};
};

// What one run showed.
struct Outcome {
    Felt felt;
    Bytes others_left{};  // bytes on the wire after the warm-up
    Bytes ours_left{};
    std::vector<double> queue;         // ms, every millisecond after the warm-up
    std::vector<double> ours_by_time;  // Mbit/s on the wire in each 20 ms, from the beginning
    std::vector<double> ours_by_node;  // bytes
    double line_bytes = 0;             // that the line could have carried after the warm-up
};

[[nodiscard]] Outcome run(Setting const& setting, Sending const& sending, std::uint64_t seed);

}  // namespace lull::sim
