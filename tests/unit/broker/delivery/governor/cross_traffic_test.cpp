#include "broker/delivery/governor/cross_traffic.hpp"

#include <catch2/catch.hpp>

namespace cross_traffic_test {

using namespace lull;
using namespace lull::broker;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint start{1000s};
constexpr Duration poll = 20ms;

// An interface on which we and others send at given rates, with a driver that updates its counter every so often.
class Interface {
public:
    explicit Interface(Duration update) : update_(update) {}

    // Reads every 20 ms for this long; the least and the highest rate of cross traffic that was told after the first 3
    // s.
    std::pair<double, double> run(CrossTraffic& traffic, Duration time, ByteRate ours, ByteRate others) {
        std::pair<double, double> range{1e18, 0};
        for (Duration t{}; t < time; t += poll) {
            now_ += poll;
            ours_ += flowing(ours, poll);
            others_ += flowing(others, poll);
            if (now_ - updated_ >= update_) {
                updated_ = now_;
                counter_ = ours_ + others_;
            }
            traffic.on({now_, counter_, ours_});
            if (t < 3s) continue;
            range.first = std::min(range.first, traffic.rate().per_second());
            range.second = std::max(range.second, traffic.rate().per_second());
        }
        return range;
    }

private:
    Duration update_;
    TimePoint now_ = start;
    TimePoint updated_{};
    Bytes ours_;
    Bytes others_;
    Bytes counter_;
};

}  // namespace

TEST_CASE("what others send is told within 3 %, whether the counter is current or a second old") {
    for (auto const update : {Duration::zero(), Duration(100ms), Duration(1s)}) {
        CrossTraffic traffic;
        Interface interface(update);
        auto const [least, most] = interface.run(traffic, 20s, Mbit(10), Mbit(5));
        INFO("updated every " << to_seconds(update) << " s");
        CHECK(least > Mbit(5).per_second() * 0.93);
        CHECK(most < Mbit(5).per_second() * 1.03);
    }
}

TEST_CASE("our own bytes are nobody else's, also when the counter lags behind") {
    for (auto const update : {Duration::zero(), Duration(100ms), Duration(1s)}) {
        CrossTraffic traffic;
        Interface interface(update);
        CHECK(interface.run(traffic, 20s, Mbit(100), ByteRate()).second < Mbit(100).per_second() * 0.01);
    }
}

TEST_CASE("control: taking every reading of a lagging counter at its word sees others that are not there") {
    Duration const period = 1s;
    Bytes counter;
    Bytes ours;
    Bytes ours_before;
    Bytes counter_before;
    double most = 0;
    for (Duration t{}; t < 10s; t += poll) {
        ours += flowing(Mbit(100), poll);
        if (t % period == 0ms) counter = ours;
        auto const mine = ours - ours_before;
        auto const all = counter - counter_before;
        if (all > mine) most = std::max(most, rate_of(all - mine, poll).per_second());
        ours_before = ours;
        counter_before = counter;
    }
    CHECK(most > Mbit(100).per_second());
}

TEST_CASE("others are noticed with the first reading and forgotten over a second") {
    CrossTraffic traffic;
    Interface interface(Duration::zero());
    interface.run(traffic, 5s, Mbit(5), ByteRate());
    interface.run(traffic, 2 * poll, Mbit(5), Mbit(10));
    CHECK(traffic.rate().per_second() == Approx(Mbit(10).per_second()).epsilon(0.01));
    interface.run(traffic, 2s, Mbit(5), Mbit(10));
    interface.run(traffic, 300ms, Mbit(5), ByteRate());
    CHECK(traffic.rate().per_second() > Mbit(10).per_second() * 0.5);
    interface.run(traffic, 5s, Mbit(5), ByteRate());
    CHECK(traffic.rate().per_second() < Mbit(10).per_second() * 0.02);
}

TEST_CASE("a counter that begins anew says nothing") {
    CrossTraffic traffic;
    CHECK(!traffic.on({start, Bytes(1'000'000), Bytes()}));
    CHECK(!traffic.on({start + 20ms, Bytes(10), Bytes()}));
    CHECK(!traffic.on({start + 40ms, Bytes(20), Bytes()}));
    CHECK(traffic.on({start + 60ms, Bytes(30), Bytes()}));
    CHECK(traffic.rate().per_second() == Approx(500));
}

TEST_CASE("a line has the most that it has carried, and less of it the longer ago") {
    LineCapacity capacity;
    capacity.on(Mbit(50), start);
    capacity.on(Mbit(10), start + 1min);
    CHECK(capacity.learned() > Mbit(48));
    for (auto t = 1min; t < 5h; t += 1min) capacity.on(Mbit(10), start + t);
    CHECK(capacity.learned() < Mbit(11));
}

}  // namespace cross_traffic_test
