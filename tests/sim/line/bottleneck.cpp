#include "tests/sim/line/bottleneck.hpp"

namespace lull::sim {

using namespace std::chrono_literals;

Bottleneck::Bottleneck(World& world, LineShape shape, std::uint64_t seed)
    : world_(world),
      shape_(shape),
      random_(seed) {}

Duration Bottleneck::queue() const { return time_for(queues_[0].bytes + queues_[1].bytes, shape_.rate); }

void Bottleneck::enter(Packet packet) {
    auto& queue = queues_[shape_.discipline == Discipline::fifo ? 0 : static_cast<std::size_t>(packet.side)];
    if (time_for(queue.bytes + packet.size, shape_.rate) > shape_.buffer) return packet.to->dropped(packet);
    queue.bytes += packet.size;
    waiting_[static_cast<std::size_t>(packet.side)] += packet.size;
    queue.packets.push_back(packet);
    if (!serving_) serve();
}

std::size_t Bottleneck::choose() {
    if (queues_[0].packets.empty()) return 1;
    if (queues_[1].packets.empty() || shape_.discipline != Discipline::fair) return 0;
    return queues_[0].turn >= queues_[1].turn ? 0 : 1;
}

void Bottleneck::serve() {
    auto const chosen = choose();
    auto& queue = queues_[chosen];
    serving_ = !queue.packets.empty();
    if (!serving_) return;
    auto const packet = queue.packets.front();
    queue.packets.pop_front();
    auto const size = static_cast<std::int64_t>(packet.size.count());
    auto& other = queues_[1 - chosen];
    // Turns count only between two who both want to send.
    if (other.packets.empty()) {
        queue.turn = other.turn = 0;
    } else {
        queue.turn -= size;
    }
    world_.after(time_for(packet.size, shape_.rate), [this, packet, chosen] {
        queues_[chosen].bytes -= packet.size;
        waiting_[static_cast<std::size_t>(packet.side)] -= packet.size;
        left_[static_cast<std::size_t>(packet.side)] += packet.size;
        world_.after(lane_.pass(world_.now(), way()), [packet] { packet.to->arrived(packet); });
        serve();
        for (auto const& told : told_) told();
    });
}

Duration Bottleneck::way() {
    auto const now = world_.now();
    auto const arrival = now + shape_.one_way;
    switch (shape_.kind) {
        case Jitter::none: return shape_.one_way;
        case Jitter::noise: return shape_.one_way + random_.between(0ms, shape_.jitter);
        case Jitter::wifi:
            if (now >= next_stall_) {
                stalled_until_ = arrival + random_.between(0ms, shape_.jitter);
                next_stall_ = now + random_.between(0ms, 100ms);
            }
            return std::max(arrival, stalled_until_) - now;
        case Jitter::lte: {
            constexpr Duration tick = 5ms;
            auto const late = random_.chance(0.05) ? arrival + 8ms : arrival;
            return (late.time_since_epoch() / tick + 1) * tick - now.time_since_epoch();
        }
    }
    return shape_.one_way;
}

}  // namespace lull::sim
