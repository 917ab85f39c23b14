#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "tests/sim/line/tcp_flow.hpp"

namespace lull::sim {

// Others' traffic in a part of the run. Web: requests of a given size by new connections, at random times. Bulk: one
// TCP download as fast as it goes. Constant: packets at a fixed rate, as a call or a stream sends them.
struct Traffic {
    enum class Kind { web, bulk, constant };
    Kind kind = Kind::web;
    Duration begin{};
    Duration end{};
    double requests = 20;        // web: a second
    std::uint64_t packets = 21;  // web: of a response; 21 are 30 kB
    ByteRate rate{};             // constant: on the wire
};

// What others felt.
struct Felt {
    std::vector<double> requests;  // ms from the first byte sent to the last byte received
    std::vector<double> packets;   // constant: ms of a round trip
    Bytes bulk{};                  // delivered to downloads while these lasted
};

// Plays traffic; the same seed begins the same requests at the same times, whatever else happens on the line.
class Foreground {
public:
    Foreground(World& world, Bottleneck& line, std::vector<Traffic> const& traffic, std::uint64_t seed);
    ~Foreground();

    [[nodiscard]] Felt const& felt() const { return felt_; }

private:
    class Constant;
    void play(Traffic const& traffic);
    void request(Traffic const& traffic);
    void download(Traffic const& traffic);

    World& world_;
    Bottleneck& line_;
    Random random_;
    Felt felt_;
    std::vector<std::unique_ptr<Endpoint>> endpoints_;
};

}  // namespace lull::sim
