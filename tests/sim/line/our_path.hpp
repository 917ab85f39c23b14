#pragma once

#include <memory>

#include "broker/delivery/governor/path_controller.hpp"
#include "broker/delivery/governor/path_delay.hpp"
#include "tests/sim/line/bottleneck.hpp"
#include "tests/sim/line/scheduling.hpp"

namespace lull::sim {

// One node's machine: its clock, as far as it differs from ours, and how late its programs run.
struct NodeMachine {
    Duration offset = std::chrono::hours(7);
    double drift = 0;  // seconds a second
    Lateness lateness{};
    std::uint64_t seed = 0;
    bool own_interface = false;  // the line is that of the broker's own interface
};

// The connection to one node: the kernel, which paces the packets of a frame, the node, which acknowledges each frame
// at once, and the repair of losses. Packets arrive in order at the application, as TCP has it; its window is taken to
// be wide enough.
class Connection final : public Endpoint {
public:
    // Told of every frame whose acknowledgement has arrived; when it is looked at is not known yet.
    using Heard = std::function<void(broker::PathSample const&)>;
    Connection(World& world, Bottleneck& line, NodeMachine machine, Heard heard);

    void send(Bytes payload, ByteRate pacing);
    [[nodiscard]] Bytes delivered() const { return delivered_; }
    [[nodiscard]] Bytes on_the_wire() const { return on_the_wire_; }  // sent, with headers

    void arrived(Packet const& packet) override;
    void dropped(Packet const& packet) override;

private:
    struct Frame {
        std::uint64_t first = 0;
        std::uint64_t packets = 0;
        std::uint64_t missing = 0;
        broker::PathSample sample;
    };
    void hand_over(Packet const& packet);
    void fill_interface();
    void deliver();
    [[nodiscard]] Duration node_clock() const;
    [[nodiscard]] Bytes size_of(Frame const& frame, std::uint64_t number) const;

    World& world_;
    Bottleneck& line_;
    NodeMachine machine_;
    Scheduling node_;
    Heard heard_;
    std::deque<Frame> frames_;  // not delivered yet
    std::uint64_t next_packet_ = 0;
    std::deque<Packet> in_socket_;   // before our own interface, where the kernel lets few of a connection wait
    TimePoint kernel_busy_until_{};  // with pacing what it was given
    Bytes delivered_{};
    Bytes on_the_wire_{};
};

// Level 1 on top of it, with always something to send: what the broker's sender will do. Several nodes behind one line
// may share one controller; then their samples count together, and they take turns.
class OurPath {
public:
    // `broker`: the thread that sends, shared by all its paths.
    OurPath(World& world, Bottleneck& line, std::vector<NodeMachine> const& machines, Scheduling& broker,
            broker::PathController controller);

    void limit(ByteRate most);
    void begin();
    [[nodiscard]] broker::PathController const& controller() const { return controller_; }
    [[nodiscard]] Bytes delivered() const;
    [[nodiscard]] std::vector<double> delivered_by_node() const;

private:
    struct Node {
        broker::PathDelay delay;
        std::unique_ptr<Connection> connection;
    };
    void heard(std::size_t node, broker::PathSample const& sample);
    void pump();

    World& world_;
    Scheduling& broker_;
    broker::PathController controller_;
    std::vector<Node> nodes_;
    std::size_t turn_ = 0;     // whose frame goes next
    std::uint64_t alarm_ = 0;  // the last timer that was armed
};

// Sends at a fixed rate whatever happens; with strict priority for others and the rate of the line, the limit of any
// sender. If it knows the queue as it was some time ago, exactly, it is silent while there was one: the limit of any
// sender that learns by acknowledgements.
class FixedRate {
public:
    FixedRate(World& world, Bottleneck& line, ByteRate rate, std::optional<Duration> age_of_knowledge = {});
    void begin() { send(); }
    [[nodiscard]] Connection const& connection() const { return connection_; }

private:
    void send();
    [[nodiscard]] bool queue_known();

    World& world_;
    Bottleneck& line_;
    ByteRate rate_;
    std::optional<Duration> age_;
    std::deque<std::pair<TimePoint, Duration>> queues_;
    Connection connection_;
};

}  // namespace lull::sim
