#pragma once

#include <functional>
#include <set>

#include "tests/sim/line/bottleneck.hpp"

namespace lull::sim {

// A simplified TCP sender with cubic (RFC 9438) and HyStart: a window of packets, slow start from ten, an
// acknowledgement for each packet, one reduction a round trip for any number of losses, losses seen after a round trip
// as RACK sees them (RFC 8985), no time-outs. Segments are of 1448 bytes. Begins with a handshake and a request, which
// go the other way unhindered.
class TcpFlow final : public Endpoint {
public:
    // `done` is told when the last byte is at the receiver. Without a size it sends until stop().
    TcpFlow(World& world, Bottleneck& line, Side side, std::uint64_t packets, std::function<void()> done);

    void begin();
    void stop() { packets_ = next_; }
    [[nodiscard]] Bytes delivered() const { return delivered_; }

    static constexpr std::uint64_t endless = ~std::uint64_t{0};

    void arrived(Packet const& packet) override;
    void dropped(Packet const& packet) override;

private:
    void acknowledged(std::uint64_t number, TimePoint sent);
    void lost(std::uint64_t number);
    void grow(Duration round_trip);
    void reduce();
    void send_more();
    void send(std::uint64_t number);

    World& world_;
    Bottleneck& line_;
    Side side_;
    std::uint64_t packets_;
    std::function<void()> done_;

    std::uint64_t next_ = 0;  // never sent before
    std::uint64_t arrived_ = 0;
    std::uint64_t in_flight_ = 0;
    std::uint64_t recovered_at_ = 0;  // packets before this one belong to the last reduction
    std::set<std::uint64_t> again_;
    double window_ = 10;
    double threshold_ = 1e9;
    double most_ = 0;  // window before the last reduction
    TimePoint reduced_{};
    Duration least_round_trip_ = Duration::max();
    Bytes delivered_{};
    std::deque<std::pair<std::uint64_t, TimePoint>> sent_;
};

}  // namespace lull::sim
