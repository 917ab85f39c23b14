#include "tests/sim/line/foreground.hpp"

#include <cmath>

namespace lull::sim {

namespace {

double to_ms(Duration duration) { return to_seconds(duration) * 1000; }

}  // namespace

class Foreground::Constant final : public Endpoint {
public:
    Constant(World& world, Bottleneck& line, Traffic traffic, Felt& felt)
        : world_(world),
          line_(line),
          traffic_(traffic),
          felt_(felt) {}

    void send() {
        constexpr Bytes size(1514);
        if (world_.elapsed() >= traffic_.end) return;
        sent_.push_back(world_.now());
        line_.enter({this, first_ + sent_.size() - 1, size, Side::others});
        world_.after(time_for(size, traffic_.rate), [this] { send(); });
    }
    void arrived(Packet const& packet) override {
        felt_.packets.push_back(to_ms(world_.now() - sent_[packet.number - first_] + line_.shape().one_way));
        forget(packet.number);
    }
    void dropped(Packet const&) override {}

private:
    void forget(std::uint64_t number) {
        for (; first_ <= number; ++first_) sent_.pop_front();
    }

    World& world_;
    Bottleneck& line_;
    Traffic traffic_;
    Felt& felt_;
    std::deque<TimePoint> sent_;  // from `first_` on
    std::uint64_t first_ = 0;
};

Foreground::Foreground(World& world, Bottleneck& line, std::vector<Traffic> const& traffic, std::uint64_t seed)
    : world_(world),
      line_(line),
      random_(seed) {
    for (auto const& one : traffic) play(one);
}

Foreground::~Foreground() = default;

// All requests are drawn before anything happens, so that nothing on the line can change them.
void Foreground::play(Traffic const& traffic) {
    if (traffic.kind == Traffic::Kind::constant) {
        auto& constant = static_cast<Constant&>(
            *endpoints_.emplace_back(std::make_unique<Constant>(world_, line_, traffic, felt_)));
        return world_.after(traffic.begin, [&constant] { constant.send(); });
    }
    if (traffic.kind == Traffic::Kind::bulk) return world_.after(traffic.begin, [this, traffic] { download(traffic); });
    constexpr std::uint64_t fine = 1'000'000;
    for (auto at = traffic.begin;;) {
        auto const chance = (static_cast<double>(random_.below(fine)) + 0.5) / static_cast<double>(fine);
        at += from_seconds(-std::log(chance) / traffic.requests);
        if (at >= traffic.end) return;
        world_.after(at, [this, traffic] { request(traffic); });
    }
}

void Foreground::request(Traffic const& traffic) {
    auto const began = world_.now();
    auto flow = std::make_unique<TcpFlow>(world_, line_, Side::others, traffic.packets,
                                          [this, began] { felt_.requests.push_back(to_ms(world_.now() - began)); });
    flow->begin();
    endpoints_.push_back(std::move(flow));
}

void Foreground::download(Traffic const& traffic) {
    auto flow = std::make_unique<TcpFlow>(world_, line_, Side::others, TcpFlow::endless, nullptr);
    flow->begin();
    world_.after(traffic.end - traffic.begin, [this, download = flow.get()] {
        felt_.bulk += download->delivered();
        download->stop();
    });
    endpoints_.push_back(std::move(flow));
}

}  // namespace lull::sim
