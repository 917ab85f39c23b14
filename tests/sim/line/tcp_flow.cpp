#include "tests/sim/line/tcp_flow.hpp"

#include <algorithm>
#include <cmath>

namespace lull::sim {

using namespace std::chrono_literals;

namespace {

constexpr Bytes packet_size(1514);  // with headers and frame
constexpr Bytes segment(1448);
constexpr Bytes handshake_size(74);
constexpr std::uint64_t handshake = ~std::uint64_t{0};

}  // namespace

TcpFlow::TcpFlow(World& world, Bottleneck& line, Side side, std::uint64_t packets, std::function<void()> done)
    : world_(world),
      line_(line),
      side_(side),
      packets_(packets),
      done_(std::move(done)) {}

void TcpFlow::begin() {
    world_.after(line_.shape().one_way, [this] { line_.enter({this, handshake, handshake_size, side_}); });
}

void TcpFlow::arrived(Packet const& packet) {
    auto const back = line_.shape().one_way;
    if (packet.number == handshake) return world_.after(back, [this] { send_more(); });
    delivered_ += segment;
    ++arrived_;
    auto const sent = std::find_if(sent_.begin(), sent_.end(),
                                   [&](auto const& entry) { return entry.first == packet.number; });
    auto const when = sent->second;
    sent_.erase(sent);
    world_.after(back, [this, number = packet.number, when] { acknowledged(number, when); });
    if (arrived_ == packets_ && done_) done_();
}

void TcpFlow::dropped(Packet const& packet) {
    auto const notice = line_.queue() + 2 * line_.shape().one_way;
    if (packet.number == handshake)
        return world_.after(1s, [this] { line_.enter({this, handshake, handshake_size, side_}); });
    world_.after(notice, [this, number = packet.number] { lost(number); });
}

void TcpFlow::acknowledged(std::uint64_t number, TimePoint sent) {
    --in_flight_;
    if (number >= recovered_at_) grow(world_.now() - sent);
    send_more();
}

void TcpFlow::lost(std::uint64_t number) {
    --in_flight_;
    std::erase_if(sent_, [&](auto const& entry) { return entry.first == number; });
    again_.insert(number);
    if (number >= recovered_at_) reduce();
    send_more();
}

// RFC 9438 4.1-4.3; the exit from slow start by delay is HyStart's (RFC 9406 4.2).
void TcpFlow::grow(Duration round_trip) {
    least_round_trip_ = std::min(least_round_trip_, round_trip);
    if (window_ < threshold_) {
        window_ += 1;
        auto const allowed = std::clamp<Duration>(least_round_trip_ / 8, 4ms, 16ms);
        if (window_ > 16 && round_trip > least_round_trip_ + allowed) threshold_ = window_;
        return;
    }
    constexpr double c = 0.4;
    constexpr double beta = 0.7;
    if (most_ == 0) {
        most_ = window_;
        reduced_ = world_.now();
    }
    auto const k = std::cbrt(most_ * (1 - beta) / c);
    auto const t = to_seconds(world_.now() - reduced_ + least_round_trip_);
    auto const target = std::clamp(c * std::pow(t - k, 3) + most_, window_, 1.5 * window_);
    auto const reno = most_ * beta + 3 * (1 - beta) / (1 + beta) * t / to_seconds(round_trip);
    window_ = std::max(window_ + (target - window_) / window_, std::min(reno, window_ + 1));
}

void TcpFlow::reduce() {
    constexpr double beta = 0.7;
    most_ = window_;
    window_ = std::max(2.0, window_ * beta);
    threshold_ = window_;
    reduced_ = world_.now();
    recovered_at_ = next_;
}

void TcpFlow::send_more() {
    while (static_cast<double>(in_flight_) < window_ && (!again_.empty() || next_ < packets_)) {
        if (again_.empty()) {
            send(next_++);
        } else {
            auto const number = *again_.begin();
            again_.erase(again_.begin());
            send(number);
        }
    }
}

void TcpFlow::send(std::uint64_t number) {
    ++in_flight_;
    sent_.emplace_back(number, world_.now());
    line_.enter({this, number, packet_size, side_});
}

}  // namespace lull::sim
