#pragma once

#include <array>
#include <deque>

#include "core/byte_rate.hpp"
#include "tests/sim/world.hpp"

namespace lull::sim {

class Endpoint;

// Who a packet belongs to.
enum class Side : std::size_t { others, ours };

struct Packet {
    Endpoint* to = nullptr;  // lives as long as the run
    std::uint64_t number = 0;
    Bytes size;
    Side side = Side::others;
};

// What the far end of a packet's connection does with it.
class Endpoint {
public:
    virtual ~Endpoint() = default;
    virtual void arrived(Packet const& packet) = 0;
    virtual void dropped(Packet const& packet) = 0;
};

// How the delay behind the bottleneck varies, for everybody's packets alike, which stay in order.
enum class Jitter {
    none,
    noise,  // each packet 0 to `jitter` later
    wifi,   // twenty stalls a second of up to `jitter`, in which nothing arrives, and then all at once
    lte,    // arrivals only every 5 ms, and one packet in twenty is repeated by the radio, 8 ms later
};

enum class Discipline {
    fifo,
    fair,      // ours and others' in two queues, in turn by bytes
    priority,  // others' first: the limit of what any sender can reach
};

struct LineShape {
    ByteRate rate = Mbit(20);
    Duration one_way = std::chrono::milliseconds(10);  // to the nodes, and the same back
    Duration buffer = std::chrono::milliseconds(200);  // of packets, by the line's rate
    Discipline discipline = Discipline::fifo;
    Jitter kind = Jitter::none;
    Duration jitter{};
};

// A router in front of a slow line: a buffer with a limit, a rate, and the way behind it.
class Bottleneck {
public:
    Bottleneck(World& world, LineShape shape, std::uint64_t seed);

    void enter(Packet packet);
    void set_rate(ByteRate rate) { shape_.rate = rate; }

    [[nodiscard]] LineShape const& shape() const { return shape_; }
    // What a packet would wait now.
    [[nodiscard]] Duration queue() const;
    // Of one side's packets in the buffer.
    [[nodiscard]] Bytes waiting(Side side) const { return waiting_[static_cast<std::size_t>(side)]; }
    // Told whenever a packet has left the buffer.
    void on_departure(std::function<void()> told) { told_.push_back(std::move(told)); }
    // Bytes that have left the buffer.
    [[nodiscard]] Bytes left(Side side) const { return left_[static_cast<std::size_t>(side)]; }

private:
    struct Queue {
        std::deque<Packet> packets;
        Bytes bytes{};
        std::int64_t turn = 0;  // fair: bytes that it may send before the other one
    };
    [[nodiscard]] std::size_t choose();
    void serve();
    [[nodiscard]] Duration way();

    World& world_;
    LineShape shape_;
    Random random_;
    Lane lane_;
    std::array<Queue, 2> queues_;
    std::array<Bytes, 2> left_{};
    std::array<Bytes, 2> waiting_{};
    std::vector<std::function<void()>> told_;
    bool serving_ = false;
    TimePoint stalled_until_{};
    TimePoint next_stall_{};
};

}  // namespace lull::sim
