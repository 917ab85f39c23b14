#include "tests/sim/line/our_path.hpp"

#include <algorithm>

namespace lull::sim {

using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t segment = 1448;
constexpr std::uint64_t headers = 66;  // Ethernet, IP, TCP with time stamps
constexpr std::uint64_t message = 60;  // our own header, ZeroMQ's and CURVE's

}  // namespace

Connection::Connection(World& world, Bottleneck& line, NodeMachine machine, Heard heard)
    : world_(world),
      line_(line),
      machine_(machine),
      node_(machine.lateness, machine.seed),
      heard_(std::move(heard)) {
    if (machine_.own_interface) line_.on_departure([this] { fill_interface(); });
}

// Linux lets a millisecond of a connection wait at the interface, two packets at least (TCP small queues); the rest
// stays in the socket.
void Connection::fill_interface() {
    constexpr Bytes few(2 * (segment + headers));
    while (!in_socket_.empty() && line_.waiting(Side::ours) < few) {
        auto const packet = in_socket_.front();
        in_socket_.pop_front();
        line_.enter(packet);
    }
}

void Connection::hand_over(Packet const& packet) {
    if (!machine_.own_interface) return line_.enter(packet);
    in_socket_.push_back(packet);
    fill_interface();
}

Bytes Connection::size_of(Frame const& frame, std::uint64_t number) const {
    auto const bytes = frame.sample.size.count() + message;
    auto const before = (number - frame.first) * segment;
    return Bytes(std::min(segment, bytes - before) + headers);
}

void Connection::send(Bytes payload, ByteRate pacing) {
    auto const now = world_.now();
    auto const packets = (payload.count() + message + segment - 1) / segment;
    auto const begin = std::max(now, kernel_busy_until_);
    Frame frame{next_packet_, packets, packets, {.sent = now, .received = {}, .acknowledged = {}, .size = payload}};
    frame.sample.unsent = begin > now || !in_socket_.empty() ? Bytes(1) : Bytes();
    next_packet_ += packets;
    auto leaves = begin;
    for (auto number = frame.first; number < next_packet_; ++number) {
        auto const size = size_of(frame, number);
        on_the_wire_ += size;
        frame.sample.pacing = leaves - begin;
        world_.after(leaves - now, [this, number, size] { hand_over({this, number, size, Side::ours}); });
        leaves += time_for(size, pacing);
    }
    kernel_busy_until_ = leaves;
    frames_.push_back(std::move(frame));
}

void Connection::arrived(Packet const& packet) {
    auto const frame = std::find_if(frames_.begin(), frames_.end(),
                                    [&](Frame const& f) { return packet.number < f.first + f.packets; });
    if (--frame->missing > 0) return;
    auto const wait = node_.wait(world_.now());
    wait == Duration::zero() ? deliver() : world_.after(wait, [this] { deliver(); });
}

void Connection::dropped(Packet const& packet) {
    world_.after(line_.queue() + 2 * line_.shape().one_way, [this, packet] { line_.enter(packet); });
}

Duration Connection::node_clock() const { return scaled(world_.elapsed(), 1 + machine_.drift) + machine_.offset; }

void Connection::deliver() {
    while (!frames_.empty() && frames_.front().missing == 0) {
        auto sample = frames_.front().sample;
        frames_.pop_front();
        sample.received = node_clock();
        if (sample.size > broker::PathController::probe_size) delivered_ += sample.size;
        world_.after(line_.shape().one_way, [this, sample] { heard_(sample); });
    }
}

OurPath::OurPath(World& world, Bottleneck& line, std::vector<NodeMachine> const& machines, Scheduling& broker,
                 broker::PathController controller)
    : world_(world),
      broker_(broker),
      controller_(std::move(controller)),
      nodes_(machines.size()) {
    for (std::size_t i = 0; i < machines.size(); ++i) {
        nodes_[i].connection = std::make_unique<Connection>(world, line, machines[i], [this, i](auto const& sample) {
            world_.after(broker_.wait(world_.now()), [this, i, sample = sample]() mutable {
                sample.acknowledged = world_.now();
                heard(i, sample);
            });
        });
    }
}

void OurPath::begin() { pump(); }

void OurPath::limit(ByteRate most) {
    controller_.limit(most);
    pump();
}

Bytes OurPath::delivered() const {
    Bytes sum;
    for (auto const& node : nodes_) sum += node.connection->delivered();
    return sum;
}

std::vector<double> OurPath::delivered_by_node() const {
    std::vector<double> bytes;
    for (auto const& node : nodes_) bytes.push_back(static_cast<double>(node.connection->delivered().count()));
    return bytes;
}

void OurPath::heard(std::size_t node, broker::PathSample const& sample) {
    controller_.on(nodes_[node].delay.on(sample), world_.now());
    pump();
}

void OurPath::pump() {
    using Kind = broker::PathController::Turn::Kind;
    auto const now = world_.now();
    for (;;) {
        auto const turn = controller_.turn(now);
        if (turn.kind == Kind::wait) {
            auto const alarm = ++alarm_;
            auto const sleep = std::max<Duration>(turn.again - now, 50us);
            return world_.after(sleep, [this, alarm] {
                if (alarm == alarm_) world_.after(broker_.wait(world_.now()), [this] { pump(); });
            });
        }
        nodes_[turn_].connection->send(turn.size, controller_.pacing());
        turn_ = (turn_ + 1) % nodes_.size();
        controller_.sent(turn.size, now);
    }
}

FixedRate::FixedRate(World& world, Bottleneck& line, ByteRate rate, std::optional<Duration> age_of_knowledge)
    : world_(world),
      line_(line),
      rate_(rate),
      age_(age_of_knowledge),
      connection_(world, line, {.lateness = {}}, [](auto const&) {}) {}

bool FixedRate::queue_known() {
    constexpr Duration two_packets = 1300us;  // of 20 Mbit/s
    if (!age_) return false;
    queues_.emplace_back(world_.now(), line_.queue());
    while (queues_.size() > 1 && queues_[1].first <= world_.now() - *age_) queues_.pop_front();
    return queues_.front().second > two_packets;
}

void FixedRate::send() {
    constexpr Bytes payload(1388);
    constexpr Bytes wire(1514);
    constexpr Duration most_queue = 50ms;
    bool const room = line_.shape().discipline != Discipline::priority || line_.queue() < most_queue;
    if (room && !queue_known()) connection_.send(payload, Mbit(100'000));
    world_.after(time_for(wire, rate_), [this] { send(); });
}

}  // namespace lull::sim
